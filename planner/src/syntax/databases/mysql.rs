//! `type: mysql`: a MySQL or MariaDB database.

use serde::{Deserialize, Serialize};

use super::{DatabaseKind, Facts, LOGIN, NAMES, Server, server_of};
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::each_prop;
use crate::syntax::source::TYPE;
use crate::syntax::{Form, Key, Keys, Shape};

/// The keys of a mysql source.
pub static SHAPE: Shape = Shape {
    what: "a mysql source",
    doc: "A MySQL or MariaDB database.",
    with: &[&TYPE, &NAMES, &LOGIN],
    keys: &[Key::new(
        "conn_str",
        Form::Text,
        "mysql://host:port/database, also as SQLAlchemy writes it.",
    )
    .required()],
};

/// `type: mysql`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MySqlSource {
    #[serde(flatten)]
    pub server: Server,
}

each_prop! { MySqlSource { server } }

/// Reads the source, its keys already checked.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<MySqlSource> {
    let server = Server::read(keys, d)?;
    Some(MySqlSource { server })
}

impl DatabaseKind for MySqlSource {
    fn dialect(&self) -> Dialect {
        Dialect::MySql
    }

    fn address(&self, facts: &Facts<'_>) -> Option<Option<String>> {
        let conn_str = facts(&self.server.conn_str);
        Some(conn_str.and_then(|conn_str| server_of(&conn_str, 3306)))
    }

    fn hide_secrets(&mut self) {
        self.server.hide_secrets();
    }
}
