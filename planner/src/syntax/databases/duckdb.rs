//! `type: duckdb`: a DuckDB database.

use serde::{Deserialize, Serialize};

use super::{DatabaseKind, Facts, NAMES, file};
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::{Prop, each_prop};
use crate::syntax::hidden::hide_in_url;
use crate::syntax::source::TYPE;
use crate::syntax::{Form, Key, Keys, Shape};

/// The keys of a duckdb source.
pub static SHAPE: Shape = Shape {
    what: "a duckdb source",
    doc: "A DuckDB database.",
    with: &[&TYPE, &NAMES],
    keys: &[
        Key::new(
            "conn_str",
            Form::Text,
            "duckdb:///path.db, relative to the project; duckdb:////path.db from the root; duckdb:///:memory: for the time of a run.",
        )
        .required(),
        Key::new(
            "driver",
            Form::Text,
            "DuckDB's library: a path or the name of an ADBC driver, where neither the Python package nor the system has it.",
        ),
    ],
};

/// `type: duckdb`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DuckDbSource {
    pub conn_str: Prop,
    /// DuckDB's library, where it is not found by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Prop>,
}

each_prop! { DuckDbSource { conn_str, driver } }

/// Reads the source, its keys already checked.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<DuckDbSource> {
    Some(DuckDbSource {
        driver: keys.prop("driver", d),
        conn_str: keys.prop("conn_str", d)?,
    })
}

impl DatabaseKind for DuckDbSource {
    fn dialect(&self) -> Dialect {
        Dialect::DuckDb
    }

    fn address(&self, facts: &Facts<'_>) -> Option<Option<String>> {
        file(facts(&self.conn_str))
    }

    fn hide_secrets(&mut self) {
        hide_in_url(&mut self.conn_str);
    }
}
