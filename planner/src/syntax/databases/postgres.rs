//! `type: postgres`: a PostgreSQL database.

use serde::{Deserialize, Serialize};

use super::{DatabaseKind, Facts, LOGIN, NAMES, Server, server_of};
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::each_prop;
use crate::syntax::source::TYPE;
use crate::syntax::{Form, Key, Keys, Shape};

/// The keys of a postgres source.
pub static SHAPE: Shape = Shape {
    what: "a postgres source",
    doc: "A PostgreSQL database.",
    with: &[&TYPE, &NAMES, &LOGIN],
    keys: &[Key::new(
        "conn_str",
        Form::Text,
        "postgresql://host:port/database, also as SQLAlchemy writes it.",
    )
    .required()],
};

/// `type: postgres`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PostgresSource {
    #[serde(flatten)]
    pub server: Server,
}

each_prop! { PostgresSource { server } }

/// Reads the source, its keys already checked.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<PostgresSource> {
    let server = Server::read(keys, d)?;
    Some(PostgresSource { server })
}

impl DatabaseKind for PostgresSource {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn address(&self, facts: &Facts<'_>) -> Option<Option<String>> {
        let conn_str = facts(&self.server.conn_str);
        Some(conn_str.and_then(|conn_str| server_of(&conn_str, 5432)))
    }

    fn hide_secrets(&mut self) {
        self.server.hide_secrets();
    }
}
