//! Sources that are databases: a file for the keys of each, and the list of them.

mod adbc;
mod address;
mod duckdb;
mod mysql;
mod postgres;
mod snowflake;
mod sqlite;
mod staging;

use serde::{Deserialize, Serialize};

use super::hidden::{hide, hide_in_url};
use super::source::HTTP;
use super::{Form, Key, Keys, Shape};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::{EachProp, Prop, each_prop};

pub(crate) use address::host_and_port;
use address::{file, server_of};

pub use adbc::AdbcSource;
pub use duckdb::DuckDbSource;
pub use mysql::MySqlSource;
pub use postgres::PostgresSource;
pub use snowflake::{SNOWFLAKE_CREDENTIALS, SnowflakeSource};
pub use sqlite::SqliteSource;
pub use staging::StagingSource;

/// Gives the text of a value as far as it is known before the run.
pub type Facts<'f> = dyn Fn(&Prop) -> Option<String> + 'f;

/// What the compiler asks of a database's definition.
pub trait DatabaseKind: EachProp {
    /// The SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Where it is, spelled one way, so that two sources of one server are seen; none inside where only the run knows,
    /// none where it shares nothing with other sources.
    fn address(&self, facts: &Facts<'_>) -> Option<Option<String>>;

    /// Replaces secrets that are given as plain values by `***`.
    fn hide_secrets(&mut self) {}
}

/// The databases: one line each.
macro_rules! databases {
    ($($(#[$doc:meta])* $name:ident($kind:ty) = $type_name:literal, $module:ident;)*) => {
        /// A database, by its `type`. It is boxed where it stands.
        #[allow(clippy::large_enum_variant)]
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum DatabaseSource {
            $($(#[$doc])* $name($kind),)*
        }

        /// Every type of source, with the shape of its keys.
        pub static SOURCES: &[(&str, &Shape)] = &[("http", &HTTP), $(($type_name, &$module::SHAPE),)*];

        impl DatabaseSource {
            /// Returns the kind, as `type` names it.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(DatabaseSource::$name(_) => $type_name,)*
                }
            }

            /// Returns the definition.
            pub fn kind(&self) -> &dyn DatabaseKind {
                match self {
                    $(DatabaseSource::$name(kind) => kind,)*
                }
            }

            /// Returns the same, to be changed.
            pub fn kind_mut(&mut self) -> &mut dyn DatabaseKind {
                match self {
                    $(DatabaseSource::$name(kind) => kind,)*
                }
            }
        }

        /// Reads the source of a kind, its keys already checked.
        pub(super) fn read_database(kind: &str, keys: &Keys<'_>, d: &mut Diagnostics) -> Option<DatabaseSource> {
            match kind {
                $($type_name => $module::read(keys, d).map(DatabaseSource::$name),)*
                _ => None,
            }
        }
    };
}

databases! {
    Postgres(PostgresSource) = "postgres", postgres;
    Snowflake(SnowflakeSource) = "snowflake", snowflake;
    DuckDb(DuckDbSource) = "duckdb", duckdb;
    MySql(MySqlSource) = "mysql", mysql;
    Sqlite(SqliteSource) = "sqlite", sqlite;
    Adbc(AdbcSource) = "adbc", adbc;
    Staging(StagingSource) = "staging", staging;
}

impl EachProp for DatabaseSource {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        self.kind().each_prop(f);
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        self.kind_mut().each_prop_mut(f);
    }
}

/// The keys that every database has.
static NAMES: Shape = Shape {
    what: "a database",
    doc: "What names mean.",
    with: &[],
    keys: &[Key::new(
        "identifiers",
        Form::Text,
        "quoted: names of tables and columns are kept as they are written. folded: they are what they would be in SQL without quotes.",
    ).default("folded")],
};

/// The keys of a server's login.
static LOGIN: Shape = Shape {
    what: "a database server",
    doc: "Who connects.",
    with: &[],
    keys: &[
        Key::new("username", Form::Text, "The user."),
        Key::new("password", Form::Text, "The password."),
    ],
};

/// A server that a connection string names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    pub conn_str: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Prop>,
}

each_prop! { Server { conn_str, username, password } }

impl Server {
    fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Server> {
        Some(Server {
            username: keys.prop("username", d),
            password: keys.prop("password", d),
            conn_str: keys.prop("conn_str", d)?,
        })
    }

    fn hide_secrets(&mut self) {
        hide_in_url(&mut self.conn_str);
        self.password.iter_mut().for_each(hide);
    }
}

/// Tells whether names are kept as they are written: text that is known is checked.
pub(super) fn read_identifiers(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Prop> {
    let prop = keys.prop("identifiers", d)?;
    if let Some(word) = prop.as_text().filter(|word| !IDENTIFIERS.contains(word)) {
        let place = keys.place_of("identifiers").unwrap_or(keys.place()).clone();
        d.error(Code::BadValue, place, format!("`identifiers` is `{word}`"))
            .help("use folded or quoted");
    }
    Some(prop)
}

/// What `identifiers` may be.
pub const IDENTIFIERS: [&str; 2] = ["folded", "quoted"];
