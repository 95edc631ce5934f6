//! `changes`: only rows that were added, changed or removed since they were sent are asked for.

use serde::{Deserialize, Serialize};

use super::rows::RowsOf;
use super::write_mode::WriteMode;
use super::{HttpRequest, RowSource, TableDefaults, TableRef};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{Prop, each_prop};
use crate::name_limit::NameLimit;
use crate::names::name_parts;
use crate::span::Place;
use crate::syntax::data_path::{self, DataPath};
use crate::syntax::{Form, Key, Keys, MostRows, Node, Shape};

/// The variable that says what became of a row.
pub const CHANGE: &str = "change";

/// The variable that holds what was kept of the answer about a row.
pub const KEPT_RESPONSE: &str = "kept_response";

/// What is said of `changes` in a loop, and what to do instead.
pub const CHANGES_IN_LOOP: (&str, &str) = (
    "`changes` in a loop: each round would take the rows of the others for removed ones",
    "use one http_request for all rows: its `for_each` takes a `query`",
);

/// Which rows of a `for_each` are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// The columns that tell a row from the others.
    pub key: Vec<String>,
    /// What is sent, in this order.
    pub rows: Vec<Change>,
    /// The columns that are compared; empty: those that the request reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// How many of the rows that were sent may be gone; none: any number, as long as there are rows at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_removed: Option<MostRows>,
    /// Whether the first run takes all rows as sent already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// What is kept of the answer about a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_response: Option<DataPath>,
    /// Where it is kept what was sent.
    #[serde(default, skip_serializing_if = "TableDefaults::is_empty")]
    pub snapshot: TableDefaults,
    #[serde(skip)]
    pub place: Place,
}

/// What became of a row since it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Changed,
    Removed,
}

impl Change {
    /// Every one, in the order in which they are sent.
    pub const ALL: [Change; 3] = [Change::Added, Change::Changed, Change::Removed];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Changed => "changed",
            Change::Removed => "removed",
        }
    }
}

each_prop! { Changes { snapshot; key, rows, columns, max_removed, baseline, keep_response, place } }

static SNAPSHOT: Shape = Shape {
    what: "`snapshot`",
    doc: "Where it is kept what was sent.",
    with: &[],
    keys: &[
        Key::new(
            "source",
            Form::Name,
            "The database source: another one, where that of the rows can only be read.",
        )
        .deferred()
        .default("that of the rows"),
        Key::new(
            "database",
            Form::Text,
            "The database, where the source has several.",
        ),
        Key::new("namespace", Form::Text, "The schema.").default("that of the rows' table"),
        Key::new("table", Form::Text, "The table.").default("`<flow>__<step>_synced`"),
    ],
};

pub(super) static CHANGES: Shape = Shape {
    what: "`changes`",
    doc: "What makes a step send only rows that were added, changed or removed since it sent them. What was sent is kept in a table beside theirs: a row enters it when its own request has succeeded.",
    with: &[],
    keys: &[
        Key::new(
            "key",
            Form::Ids,
            "The columns that tell a row from the others: unique, and never null.",
        )
        .required(),
        Key::new(
            "rows",
            Form::Words(&["added", "changed", "removed"]),
            "What is sent, in this order: with a `concurrency` above 1 the last of one kind and the first of the next are under way together. `{{ var('change') }}` says which it is; a removed row has the columns that were sent last.",
        )
        .default("`[added, changed, removed]`"),
        Key::new(
            "columns",
            Form::Ids,
            "The columns that are compared.",
        )
        .default("those that the request reads"),
        Key::new(
            "max_removed",
            Form::Rejects,
            "How many of the rows that were sent may be gone: a number, or a part of them like `5%`. Where there are more, nothing is sent and the step fails.",
        )
        .default("any number; an empty table is refused"),
        Key::new(
            "baseline",
            Form::Flag,
            "`true`: the first run takes all rows as sent already, and sends none.",
        ),
        Key::new(
            "keep_response",
            Form::Path,
            "What is kept of the answer about a row, like the `id` that the API gave: `{{ var('kept_response') }}` when the row has changed or is removed.",
        ),
        Key::new(
            "snapshot",
            Form::Map(&SNAPSHOT),
            "Where it is kept what was sent.",
        ),
    ],
};

/// Reads `changes`.
pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Changes> {
    let keys = Keys::new(node, &CHANGES, d)?;
    let names = |key: &str, d: &mut Diagnostics| -> Vec<String> {
        let texts = keys.texts(key, "names of columns", d);
        texts
            .into_iter()
            .map(|(name, _)| name.trim().to_string())
            .collect()
    };
    let (key, columns) = (names("key", d), names("columns", d));
    if key.is_empty() {
        if keys.has("key") {
            let place = keys.place_of("key").cloned();
            d.error(Code::BadValue, place, "`key` names no column")
                .help("name the columns that tell a row from the others: `key: [id]`");
        }
        return None;
    }
    let given = keys.words("rows", d);
    if given.as_ref().is_some_and(Vec::is_empty) {
        let place = keys.place_of("rows").cloned();
        d.error(Code::BadValue, place, "`rows` names nothing that is sent")
            .help("name one or more of added, changed and removed, or leave `rows` out");
    }
    if columns.is_empty() && keys.has("columns") {
        let place = keys.place_of("columns").cloned();
        d.error(
            Code::BadValue,
            place,
            "`columns` names no column that is compared",
        )
        .help("name those whose changes are sent, or leave `columns` out: those that the request reads");
    }
    let named = given.unwrap_or_default();
    let found = |word: &&str| Change::ALL.into_iter().find(|change| change.name() == *word);
    let mut rows: Vec<Change> = Vec::new();
    for change in named.iter().filter_map(found) {
        if !rows.contains(&change) {
            rows.push(change);
        }
    }
    let changes = Changes {
        key,
        rows: if rows.is_empty() {
            Change::ALL.to_vec()
        } else {
            rows
        },
        columns,
        max_removed: keys.most_rows("max_removed", d),
        baseline: keys.flag("baseline", d).unwrap_or_default(),
        keep_response: match keys.has("keep_response") {
            true => Some(data_path::read(&keys, "keep_response", d)?),
            false => None,
        },
        snapshot: match keys.node("snapshot") {
            Some(node) => TableDefaults::read(&Keys::new(node, &SNAPSHOT, d)?, d),
            None => TableDefaults::default(),
        },
        place: keys.place().clone(),
    };
    if changes.max_removed.is_some() && !changes.rows.contains(&Change::Removed) {
        let place = keys.place_of("max_removed").cloned();
        d.error(
            Code::BadValue,
            place,
            "`max_removed` counts removed rows, and `rows` leaves them out",
        )
        .help("leave it out, or add `removed` to `rows`");
    }
    Some(changes)
}

/// Reports what can't be beside `changes`.
pub(super) fn check(request: &HttpRequest, d: &mut Diagnostics) {
    let Some(changes) = request.changes() else {
        return;
    };
    let place = || changes.place.clone();
    if request.request.incremental.is_some() {
        d.error(
            Code::BothForms,
            place(),
            "both `changes` and `incremental` are given",
        )
        .help("`changes` is for sending what changed here, `incremental` for asking what is new there");
    }
    if request.streams && request.request.incremental.is_none() {
        d.error(
            Code::BothForms,
            place(),
            "both `changes` and `checkpoint: false` are given: which rows were sent is kept in the checkpoint first",
        )
        .help("leave `checkpoint` out");
    }
    let rows = request.for_each.as_ref();
    if rows.is_some_and(|rows| matches!(rows.from, RowSource::Values(_))) {
        d.error(
            Code::BadValue,
            place(),
            "`changes` compares tables, and `values` are none",
        )
        .help("keep the values in a table");
    }
    if changes.keep_response.is_some() && rows.is_some_and(|rows| rows.batch_size.is_some()) {
        d.error(
            Code::BadValue,
            place(),
            "`keep_response` keeps what is answered about a row, and with `batch_size` an answer is about several",
        )
        .help("leave `batch_size` or `keep_response` out");
    }
    for table in &request.response.tables {
        if table.write_mode == WriteMode::Replace {
            let message = format!(
                "{} beside `changes` would have what was answered to the rows of the last run only",
                table.target.in_short()
            );
            d.error(Code::BadValue, table.place.clone(), message)
                .help("add `write_mode: append`, or `upsert` and the `primary_key`");
        }
    }
}

impl RowsOf {
    /// Returns the table that holds what was sent: beside the one that the rows come from, and named after the step.
    pub fn snapshot(&self, flow: &str, step: &str) -> Option<TableRef> {
        let changes = self.changes.as_ref()?;
        let (source, place) = self.database()?;
        let given = &changes.snapshot;
        let beside = self
            .table()
            .filter(|_| given.source.as_deref().is_none_or(|given| given == source));
        let or = |given: &Option<Prop>, own: fn(&TableRef) -> &Option<Prop>| {
            given
                .clone()
                .or_else(|| beside.and_then(|table| own(table).clone()))
        };
        Some(TableRef {
            source: given.source.clone().unwrap_or_else(|| source.to_string()),
            database: or(&given.database, |table| &table.database),
            namespace: or(&given.namespace, |table| &table.namespace),
            table: given.table.clone().unwrap_or_else(|| {
                let schema = beside.filter(|_| given.namespace.is_none() && given.database.is_none());
                let schema = schema.and_then(|table| schema_in(table.table.as_text()?));
                Prop::Literal(table_beside(schema, &table_of(flow, step)).into())
            }),
            place: place.clone(),
        })
    }
}

/// What stands before the table in a name like `crm.customers`.
fn schema_in(name: &str) -> Option<&str> {
    let table = name_parts(name).filter(|parts| parts.len() > 1)?.pop()?;
    let length = match table.quoted {
        true => table.text.replace('"', "\"\"").len() + 2,
        false => table.text.len(),
    };
    let name = name.trim();
    name.get(..name.len().checked_sub(length + 1)?)
}

/// The name of a table in that schema: itself to the letter, as where it stands alone.
fn table_beside(schema: Option<&str>, table: &str) -> String {
    match schema {
        None => table.to_string(),
        Some(schema) => format!("{schema}.\"{table}\""),
    }
}

/// A name that every database keeps, with room for what is put behind it.
const LONGEST: NameLimit = NameLimit::Bytes(46);

/// The table of what a step has sent. A name of a step may hold what no name of a table does, and be longer.
fn table_of(flow: &str, step: &str) -> String {
    let plain = |name: &str| -> String {
        let letters = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' });
        letters.collect()
    };
    let name = format!("{}__{}_synced", plain(flow), plain(step));
    LONGEST.shortened(&name).unwrap_or(name)
}

impl Changes {
    /// Returns what it does, in a line of the plan.
    pub fn in_words(&self, snapshot: &TableRef) -> String {
        let names: Vec<&str> = self.rows.iter().map(|change| change.name()).collect();
        let kinds = match names.as_slice() {
            [one] => (*one).to_string(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
            [] => String::new(),
        };
        format!(
            "only {kinds} rows are sent, by {}; what was sent is in {}",
            self.key.join(", "),
            snapshot.in_short()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_in_the_schema_of_the_rows_table() {
        let beside = |name: &str| table_beside(schema_in(name), "f__s_synced");
        assert_eq!(beside("customers"), "f__s_synced");
        assert_eq!(beside("crm.customers"), "crm.\"f__s_synced\"");
        assert_eq!(beside(" db.crm.\"My \"\"Table\" "), "db.crm.\"f__s_synced\"");
        assert_eq!(beside("\"My Schema\".t"), "\"My Schema\".\"f__s_synced\"");
        assert_eq!(beside("report.2024"), "f__s_synced");
    }
}
