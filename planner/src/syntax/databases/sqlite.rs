//! `type: sqlite`: a SQLite database.

use serde::{Deserialize, Serialize};

use super::{DatabaseKind, Facts, NAMES, file};
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::{Prop, each_prop};
use crate::syntax::source::TYPE;
use crate::syntax::{Form, Key, Keys, Shape};

/// The keys of a sqlite source.
pub static SHAPE: Shape = Shape {
    what: "a sqlite source",
    doc: "A SQLite database.",
    with: &[&TYPE, &NAMES],
    keys: &[Key::new(
        "conn_str",
        Form::Text,
        "sqlite:///path.db, relative to the project; sqlite:////path.db from the root; sqlite:///:memory: for the time of a run.",
    )
    .required()],
};

/// `type: sqlite`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SqliteSource {
    /// A file.
    pub conn_str: Prop,
}

each_prop! { SqliteSource { conn_str } }

/// Reads the source, its keys already checked.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<SqliteSource> {
    Some(SqliteSource {
        conn_str: keys.prop("conn_str", d)?,
    })
}

impl DatabaseKind for SqliteSource {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn address(&self, facts: &Facts<'_>) -> Option<Option<String>> {
        file(facts(&self.conn_str))
    }
}
