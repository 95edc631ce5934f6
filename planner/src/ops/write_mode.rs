//! What becomes of the rows that a table has: `write_mode` and `primary_key`.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::table::TableRef;
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean};
use crate::syntax::{Form, Key, Keys, Shape};

/// What a step does with the rows its target has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// The table becomes exactly the new rows.
    #[serde(rename = "create")]
    Replace,
    /// Rows are added; the table is created when missing.
    Append,
    /// Rows take the place of those in the range that was asked for. The table is created when missing.
    ReplaceRange,
    /// Rows take the place of those with the same values in these columns, or are added; of several with the same, the
    /// last counts. The table is created when missing; columns that the rows do not have stay as they are.
    Upsert(Vec<String>),
}

impl WriteMode {
    /// Returns what becomes of a table that rows are written to.
    pub fn in_words(&self, target: &TableRef) -> String {
        let name = target.in_short();
        match self {
            WriteMode::Replace => format!("replaces {name}"),
            WriteMode::Append => format!("adds rows to {name}"),
            WriteMode::ReplaceRange => format!("replaces the rows of {name} in the range that is asked for"),
            WriteMode::Upsert(key) => format!("upserts {name} by {}", key.join(", ")),
        }
    }

    /// Tells whether the rows that are there go.
    pub fn replaces(&self) -> bool {
        matches!(self, WriteMode::Replace)
    }
}

/// The keys that say what happens to the rows a table has.
pub static WRITE_MODE: Shape = Shape {
    what: "a write",
    doc: "What happens to the rows that are there.",
    with: &[],
    keys: &[
        Key::new(
            "write_mode",
            Form::Choice(&["create", "replace", "append", "upsert", "replace_range"]),
            "`create` or `replace`: the table becomes exactly these rows; `append`: they are added; `upsert`: they take the place of rows with the same `primary_key`; `replace_range`, with `incremental`: they take the place of all rows in the range that was asked for.",
        ).default("`create`")
        .deferred(),
        Key::new(
            "primary_key",
            Form::Ids,
            "The columns that tell rows apart, for `write_mode: upsert`.",
        ),
    ],
};

/// Reads `write_mode`.
pub fn read_write_mode(keys: &Keys<'_>, d: &mut Diagnostics) -> WriteMode {
    let primary_key = keys.texts("primary_key", "names of columns", d);
    let mode = keys.choice("write_mode", d);
    let place = |key: &str| keys.place_of(key).unwrap_or(keys.place()).clone();
    match mode {
        Some("upsert") if primary_key.is_empty() => {
            d.error(
                Code::MissingKey,
                place("write_mode"),
                "`write_mode: upsert` needs `primary_key`",
            )
            .help("the columns that tell rows apart, for example `primary_key: [id]`");
        }
        Some("upsert") => {}
        _ if keys.has("primary_key") && !keys.is_deferred("write_mode", d) => {
            d.error(
                Code::BadValue,
                place("primary_key"),
                "`primary_key` is for `write_mode: upsert`",
            )
            .help("add `write_mode: upsert`, or leave `primary_key` out");
        }
        _ => {}
    }
    match mode {
        Some("append") => WriteMode::Append,
        Some("replace_range") => WriteMode::ReplaceRange,
        Some("upsert") => WriteMode::Upsert(primary_key.into_iter().map(|(name, _)| name).collect()),
        _ => WriteMode::Replace,
    }
}

/// Reports columns of a primary key that a table does not declare.
pub fn check_primary_key(keys: &Keys<'_>, mode: &WriteMode, columns: &Columns, d: &mut Diagnostics) {
    let (WriteMode::Upsert(primary_key), Columns::Declared(columns)) = (mode, columns) else {
        return;
    };
    let names = || columns.iter().map(|c| c.name.as_str());
    for name in primary_key {
        if !names().any(|known| known.eq_ignore_ascii_case(name)) {
            let message = format!("`primary_key` names `{name}`, which is not one of the columns");
            d.error(Code::BadValue, keys.place_of("primary_key").cloned(), message)
                .maybe_help(did_you_mean(name, "columns", names()));
        }
    }
}
