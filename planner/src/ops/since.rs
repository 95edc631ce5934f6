//! `incremental` of a transform: its query computes only what is new since the rows that its target has.

use serde::{Deserialize, Serialize};

use super::table::TableRef;
use super::write_mode::WriteMode;
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{Prop, each_prop};
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Node, Shape};

/// From where a query computes rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Since {
    /// The column of the target that says how new a row is.
    pub cursor: String,
    /// From where where the target has no rows.
    pub initial: Prop,
    /// How far before the newest row it computes rows again: seconds, or a number where the cursor is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback: Option<f64>,
    /// From where on it would compute rows now, where that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_start: Option<String>,
    /// Why that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_estimated: Option<String>,
    #[serde(skip)]
    pub place: Place,
}

each_prop! { Since { initial; cursor, lookback, estimated_start, not_estimated, place } }

pub(super) static SINCE: Shape = Shape {
    what: "`incremental`",
    doc: "What makes a transform compute only rows that are new. How far it got is what its target has: nothing else is kept.",
    with: &[],
    keys: &[
        Key::new(
            "cursor",
            Form::Path,
            "The column of the target that says how new a row is: a time, a date, a number that grows, or a text that sorts.",
        )
        .required(),
        Key::new(
            "initial",
            Form::Text,
            "The start while the target has no rows, like `2024-01-01`: written as the cursor has it.",
        )
        .required(),
        Key::new(
            "lookback",
            Form::Duration,
            "How far before the newest row of the target the start lies, for rows that come late: a time, or a number where the cursor is one.",
        )
        .default("nothing"),
    ],
};

/// Reads `incremental`.
pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Since> {
    let keys = Keys::new(node, &SINCE, d)?;
    Some(Since {
        cursor: keys.label("cursor", d)?.trim().to_string(),
        initial: keys.prop("initial", d)?,
        lookback: keys.duration("lookback", d),
        estimated_start: None,
        not_estimated: None,
        place: keys.place().clone(),
    })
}

/// Reports write modes that do not go with it.
pub(super) fn check(mode: &WriteMode, since: Option<&Since>, keys: &Keys<'_>, d: &mut Diagnostics) {
    let place = || keys.place_of("write_mode").unwrap_or(keys.place()).clone();
    match (mode, since) {
        (WriteMode::ReplaceRange, None) => {
            d.error(
                Code::BadValue,
                place(),
                "`write_mode: replace_range` is for steps with `incremental`: it says from where on rows are replaced",
            )
            .help("add `incremental: {cursor: ...}`, or use `create` to replace all rows");
        }
        (WriteMode::Replace, Some(_)) if !keys.is_deferred("write_mode", d) => {
            d.error(
                Code::BadValue,
                place(),
                "a table that is replaced by `incremental` would have only what is new",
            )
            .help("add `write_mode: upsert` and a `primary_key`, `append` or `replace_range`");
        }
        _ => {}
    }
}

impl Since {
    /// Returns what it does, in a line of the plan.
    pub fn in_words(&self, target: &TableRef) -> String {
        let back = match self.lookback {
            Some(_) => ", less `lookback`",
            None => "",
        };
        format!(
            "computes what is new by {}, from the newest row of {} on{back}",
            self.cursor,
            target.in_short()
        )
    }
}
