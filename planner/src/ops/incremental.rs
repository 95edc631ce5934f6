//! `incremental`: a request asks only for what is new since the last run.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::cursor_kind;
use super::http_response::ResponseSpec;
use super::{ColumnSpec, ColumnValue, ResponseTable, TimeFormat};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{Prop, each_prop, has_template};
use crate::span::Place;
use crate::syntax::data_path::{self, DataPath};
use crate::syntax::{Form, Key, Keys, Node, Scalar, Shape, Value};

/// The variable that holds the range that is asked for.
pub const WINDOW: &str = "window";

/// What is said of `incremental` in a loop, and what to do instead.
pub const INCREMENTAL_IN_LOOP: (&str, &str) = (
    "`incremental` in a loop: its rounds would share one state",
    "use the `for_each` of the http_request: each of its rows has its own state",
);

/// How a request asks only for what is new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incremental {
    /// The column that says how new a row is.
    pub cursor: String,
    /// From where the first run asks; none: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Prop>,
    /// The parameter of the query that takes the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_param: Option<String>,
    /// The parameter of the query that takes the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_param: Option<String>,
    /// How start and end are written; none: ISO 8601, or as the cursor is where it is no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<TimeFormat>,
    /// How far before the last end a run asks again: seconds, or a number where the cursor is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback: Option<f64>,
    /// Whether that was written as a time, like `1h`.
    #[serde(skip)]
    pub lookback_is_time: bool,
    /// How many seconds before the start of the step the end lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<f64>,
    /// How much is asked for at a time: seconds, or a number where the cursor is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<f64>,
    /// The order in which the API gives rows.
    #[serde(default, skip_serializing_if = "Order::is_none")]
    pub order: Order,
    /// What becomes of rows without a cursor; none: they are loaded where they take the place of others by their key, and else
    /// the step fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
    /// The columns of the `for_each`'s rows that tell whose state it is; empty: those that the request reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition: Vec<String>,
    /// Whether only those rows of the `for_each` are asked for whose own cursor, a column of that name, has moved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed_parents: bool,
    /// The table that has the cursor, where several are filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    #[serde(skip)]
    pub place: Place,
}

/// The order of an API's rows by their cursor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Nothing is known of it.
    #[default]
    None,
    Ascending,
    Descending,
}

impl Order {
    fn is_none(&self) -> bool {
        *self == Order::None
    }
}

const ORDERS: [(&str, Order); 3] = [
    ("none", Order::None),
    ("ascending", Order::Ascending),
    ("descending", Order::Descending),
];

/// What becomes of rows that have no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    Include,
    Exclude,
    Fail,
}

const ON_MISSING: [(&str, OnMissing); 3] = [
    ("include", OnMissing::Include),
    ("exclude", OnMissing::Exclude),
    ("fail", OnMissing::Fail),
];

each_prop! { Incremental { initial; cursor, start_param, end_param, format, lookback, lookback_is_time, delay, window, order, on_missing, partition, changed_parents, table, place } }

pub(super) static INCREMENTAL: Shape = Shape {
    what: "`incremental`",
    doc: "What makes a request ask only for rows that are new since the last run. How far it got is kept beside the rows, and committed with them.",
    with: &[],
    keys: &[
        Key::new(
            "cursor",
            Form::Path,
            "The column that says how new a row is, or its path in the row: a time, a date, a number that grows, or a text that sorts.",
        )
        .required(),
        Key::new(
            "initial",
            Form::Text,
            "From where the first run asks, like `2024-01-01`.",
        )
        .default("everything"),
        Key::new(
            "start_param",
            Form::Name,
            "The parameter of the query that takes the start. Elsewhere the start is `{{ var('window')['start'] }}`.",
        )
        .deferred(),
        Key::new(
            "end_param",
            Form::Name,
            "The parameter of the query that takes the end. Elsewhere the end is `{{ var('window')['end'] }}`.",
        )
        .deferred(),
        Key::new(
            "format",
            Form::Name,
            "How start and end are written: `iso8601`, `unix` (seconds since 1970), `unix_ms`, or a pattern of strftime like `%Y-%m-%dT%H:%M:%SZ`, with other text around it where the API wants that.",
        )
        .deferred()
        .default("`iso8601`; as they are where the cursor is no time"),
        Key::new(
            "lookback",
            Form::Duration,
            "How far before the end of the last run it asks again, for rows that come late: a time, or a number where the cursor is one. It widens what is asked, and not what is kept.",
        )
        .default("nothing"),
        Key::new(
            "delay",
            Form::Duration,
            "How long before the start of the step the end lies: what is younger comes with a later run.",
        )
        .default("nothing"),
        Key::new(
            "window",
            Form::Duration,
            "How much is asked for at a time, each of it committed with its state. The cursor is a time then.",
        )
        .default("all at once"),
        Key::new(
            "order",
            Form::Choice(&["none", "ascending", "descending"]),
            "The order in which the API gives rows by their cursor. `ascending`: what came before a failure is kept, and asked for no more; `descending`: no page is asked for behind the one that ends with rows which are there already.",
        )
        .default("`none`: nothing is known of it"),
        Key::new(
            "on_missing",
            Form::Choice(&["include", "exclude", "fail"]),
            "What becomes of a row without a cursor: it is loaded, left out, or the step fails.",
        )
        .default("`include`; `fail` where rows are added or take the place of a range"),
        Key::new(
            "partition",
            Form::Ids,
            "With a `for_each`: the columns of its rows that tell whose state it is.",
        )
        .default("those that the request reads"),
        Key::new(
            "changed_parents",
            Form::Flag,
            "With a `for_each`: `true` asks only for those of its rows whose own cursor, a column of the same name, is another one than when they were asked for last.",
        )
        .default("`false`"),
        Key::new(
            "table",
            Form::Name,
            "The table that has the cursor, where the response fills several: the others have its range.",
        )
        .deferred()
        .default("the first that has such a column"),
    ],
};

/// Reads `incremental`.
pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Incremental> {
    let keys = Keys::new(node, &INCREMENTAL, d)?;
    let name = |key: &str, d: &mut Diagnostics| keys.name(key, d).map(|(name, _)| name);
    // What only the run knows comes as it is written.
    let format = name("format", d).filter(|text| !has_template(text));
    let format = format.and_then(|text| {
        let read = TimeFormat::read(text.trim());
        read.map_err(|why| {
            d.error(Code::BadValue, keys.place_of("format").cloned(), why)
                .help("use unix, unix_ms, iso8601, or a pattern of strftime like `%Y-%m-%d %H:%M:%S`");
        })
        .ok()
    });
    let partition = keys.texts("partition", "names of columns", d);
    data_path::read(&keys, "cursor", d)?;
    let incremental = Incremental {
        cursor: keys.label("cursor", d)?.trim().to_string(),
        initial: keys.prop("initial", d),
        start_param: name("start_param", d),
        end_param: name("end_param", d),
        format,
        lookback: keys.duration("lookback", d),
        lookback_is_time: keys.node("lookback").is_some_and(is_time),
        delay: keys.duration("delay", d),
        window: keys.duration("window", d),
        order: keys.pick("order", &ORDERS, d).unwrap_or_default(),
        on_missing: keys.pick("on_missing", &ON_MISSING, d),
        partition: partition.into_iter().map(|(name, _)| name).collect(),
        changed_parents: keys.flag("changed_parents", d).unwrap_or_default(),
        table: name("table", d),
        place: keys.place().clone(),
    };
    Some(incremental)
}

impl Incremental {
    /// Returns what it does, in a line of the plan.
    pub fn in_words(&self, response: &ResponseSpec) -> String {
        let counts = cursor_kind::counts(response, self);
        let mut words = format!("asks for what is new by {}", self.cursor);
        if let Some(initial) = &self.initial {
            words.push_str(&format!(", at first from {}", initial.in_short()));
        }
        let span = |seconds: f64| match counts {
            true => seconds.to_string(),
            false => in_units(seconds),
        };
        if let Some(window) = self.window {
            words.push_str(&format!(", {} at a time", span(window)));
        }
        if let Some(lookback) = self.lookback {
            words.push_str(&format!(", {} back", span(lookback)));
        }
        if let Some(delay) = self.delay {
            words.push_str(&format!(", up to {} ago", span(delay)));
        }
        words
    }
}

/// Whether a span is written as a time, and not as a number.
fn is_time(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(Scalar::Text { text, .. }) if text.trim().parse::<f64>().is_err())
}

/// A time in the largest unit that it is whole in.
fn in_units(seconds: f64) -> String {
    let Some(span) = chrono::Duration::try_milliseconds((seconds * 1000.0) as i64) else {
        return seconds.to_string();
    };
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
        (1, "ms"),
    ];
    let millis = span.num_milliseconds();
    let unit = units.iter().find(|(unit, _)| millis % unit == 0);
    unit.map_or_else(String::new, |(unit, name)| format!("{}{name}", millis / unit))
}

/// Returns the column of a table that a cursor names, by its name or its path in the row; none where columns are declared
/// and none of them is it. Where columns come from the data, it is taken to be there.
pub fn cursor_column<'c>(table: &'c ResponseTable, cursor: &'c str) -> Option<&'c str> {
    let columns = match &table.columns {
        Columns::Declared(columns) => columns,
        Columns::Inferred | Columns::Computed(_) => return Some(cursor),
    };
    let named = |column: &&ColumnSpec| column.name.eq_ignore_ascii_case(cursor);
    let path = DataPath::read(cursor).ok();
    let at = |column: &&ColumnSpec| match (&column.value, &path) {
        (Some(ColumnValue::Path(own)), Some(path)) => own == path,
        _ => false,
    };
    let mut columns = columns.iter();
    let found = columns.clone().find(named).or_else(|| columns.find(at));
    found.map(|column| column.name.as_str())
}

/// Returns the columns of a table whose values are others each time that a row comes: the clock's, or the range's.
pub fn passing_columns(table: &ResponseTable) -> Vec<String> {
    let Columns::Declared(columns) = &table.columns else {
        return Vec::new();
    };
    let passes = |column: &&ColumnSpec| match &column.value {
        Some(ColumnValue::Given(given)) => {
            let uses = given.uses();
            uses.clock || uses.variables.contains(WINDOW)
        }
        _ => false,
    };
    columns
        .iter()
        .filter(passes)
        .map(|column| column.name.clone())
        .collect()
}

/// Returns the position of the table that has the cursor, and the column's name.
pub fn lead<'r>(response: &'r ResponseSpec, incremental: &'r Incremental) -> Option<(usize, &'r str)> {
    let is_named = |table: &ResponseTable| match (&incremental.table, table.target.table.as_text()) {
        (None, _) => true,
        (Some(named), Some(name)) => name.eq_ignore_ascii_case(named),
        (Some(_), None) => false,
    };
    let mut tables = response
        .tables
        .iter()
        .enumerate()
        .filter(|(_, table)| is_named(table));
    tables.find_map(|(at, table)| Some((at, cursor_column(table, &incremental.cursor)?)))
}
