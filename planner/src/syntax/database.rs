//! Sources that are databases.

use serde::{Deserialize, Serialize};

use super::source::TYPE;
use super::{Form, Key, Keys, Shape};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::Prop;

/// A database, by its `type`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseSource {
    Postgres(Server),
    MySql(Server),
    /// A file.
    Sqlite(Prop),
    DuckDb(DuckDbSource),
    Snowflake(Box<SnowflakeSource>),
    Adbc(AdbcSource),
    Staging,
}

/// A server that a connection string names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    pub conn_str: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Prop>,
}

/// `type: duckdb`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DuckDbSource {
    pub conn_str: Prop,
    /// DuckDB's library, where it is not found by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Prop>,
}

/// `type: snowflake`. What it is not told, the account's defaults say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SnowflakeSource {
    pub account: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Prop>,
    /// A file of the project with a key in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_path: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_passphrase: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Prop>,
    /// The driver's library, where it is not found by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Prop>,
}

/// `type: adbc`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdbcSource {
    /// A name, a path or a manifest.
    pub driver: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Prop>,
    /// The driver's own options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Prop>,
}

impl DatabaseSource {
    /// The SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match self {
            DatabaseSource::Postgres(_) => Dialect::Postgres,
            DatabaseSource::MySql(_) => Dialect::MySql,
            DatabaseSource::Sqlite(_) => Dialect::Sqlite,
            DatabaseSource::DuckDb(_) => Dialect::DuckDb,
            DatabaseSource::Snowflake(_) => Dialect::Snowflake,
            DatabaseSource::Adbc(_) => Dialect::Generic,
            DatabaseSource::Staging => Dialect::Staging,
        }
    }

    /// The kind, as `type` names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            DatabaseSource::Postgres(_) => "postgres",
            DatabaseSource::MySql(_) => "mysql",
            DatabaseSource::Sqlite(_) => "sqlite",
            DatabaseSource::DuckDb(_) => "duckdb",
            DatabaseSource::Snowflake(_) => "snowflake",
            DatabaseSource::Adbc(_) => "adbc",
            DatabaseSource::Staging => "staging",
        }
    }
}

static NAMES: Shape = Shape {
    what: "a database",
    doc: "What names mean.",
    with: &[],
    keys: &[Key::new(
        "identifiers",
        Form::Text,
        "quoted: names of tables and columns are kept as they are written. folded (the default): they are what they would be in SQL without quotes.",
    )],
};

static LOGIN: Shape = Shape {
    what: "a database server",
    doc: "Who connects.",
    with: &[],
    keys: &[
        Key::new("username", Form::Text, "The user."),
        Key::new("password", Form::Text, "The password."),
    ],
};

pub(super) static POSTGRES: Shape = Shape {
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

pub(super) static MYSQL: Shape = Shape {
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

pub(super) static SQLITE: Shape = Shape {
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

pub(super) static DUCKDB: Shape = Shape {
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

pub(super) static SNOWFLAKE: Shape = Shape {
    what: "a snowflake source",
    doc: "A Snowflake database. One of password, private_key_path and token says who connects.",
    with: &[&TYPE, &NAMES],
    keys: &[
        Key::new("account", Form::Text, "The account: organisation-account.").required(),
        Key::new("user", Form::Text, "The user."),
        Key::new("password", Form::Text, "The password."),
        Key::new(
            "private_key_path",
            Form::Text,
            "A private key (PKCS#8, PEM): a file of the project.",
        ),
        Key::new(
            "private_key_passphrase",
            Form::Text,
            "The passphrase of the private key.",
        ),
        Key::new("token", Form::Text, "A programmatic access token."),
        Key::new("warehouse", Form::Text, "The warehouse that runs statements."),
        Key::new("role", Form::Text, "The role to take."),
        Key::new("database", Form::Text, "The database of names without one."),
        Key::new("schema", Form::Text, "The schema of names without one."),
        Key::new("host", Form::Text, "The host of a private endpoint."),
        Key::new("port", Form::Text, "The port of a private endpoint."),
        Key::new("protocol", Form::Text, "https, or http for a private endpoint."),
        Key::new(
            "driver",
            Form::Text,
            "The ADBC driver: a path or a name, where the Python package adbc-driver-snowflake is not installed.",
        ),
    ],
};

pub(super) static ADBC: Shape = Shape {
    what: "an adbc source",
    doc: "Any database with an ADBC driver.",
    with: &[&TYPE, &NAMES],
    keys: &[
        Key::new(
            "driver",
            Form::Text,
            "The driver: its name (adbc_driver_postgresql), the path of its library or of its manifest.",
        )
        .required(),
        Key::new("entrypoint", Form::Text, "The first function of the library."),
        Key::new("options", Form::Entries, "The driver's own options, like `uri`."),
    ],
};

pub(super) static STAGING: Shape = Shape {
    what: "a staging source",
    doc: "The embedded database: DataFusion over Delta tables in the project's state. Needs no server.",
    with: &[&TYPE, &NAMES],
    keys: &[],
};

/// Reads the source of a kind, its keys already checked.
pub(super) fn read_database(kind: &str, keys: &Keys<'_>, d: &mut Diagnostics) -> Option<DatabaseSource> {
    Some(match kind {
        "postgres" => DatabaseSource::Postgres(read_server(keys, d)?),
        "mysql" => DatabaseSource::MySql(read_server(keys, d)?),
        "sqlite" => DatabaseSource::Sqlite(keys.prop("conn_str", d)?),
        "duckdb" => DatabaseSource::DuckDb(DuckDbSource {
            driver: keys.prop("driver", d),
            conn_str: keys.prop("conn_str", d)?,
        }),
        "snowflake" => {
            one_credential(keys, d);
            DatabaseSource::Snowflake(Box::new(SnowflakeSource {
                user: keys.prop("user", d),
                password: keys.prop("password", d),
                private_key_path: keys.prop("private_key_path", d),
                private_key_passphrase: keys.prop("private_key_passphrase", d),
                token: keys.prop("token", d),
                warehouse: keys.prop("warehouse", d),
                role: keys.prop("role", d),
                database: keys.prop("database", d),
                schema: keys.prop("schema", d),
                host: keys.prop("host", d),
                port: keys.prop("port", d),
                protocol: keys.prop("protocol", d),
                driver: keys.prop("driver", d),
                account: keys.prop("account", d)?,
            }))
        }
        "adbc" => DatabaseSource::Adbc(AdbcSource {
            entrypoint: keys.prop("entrypoint", d),
            options: keys.prop("options", d),
            driver: keys.prop("driver", d)?,
        }),
        _ => DatabaseSource::Staging,
    })
}

/// Whether names are kept as they are written: text that is known is checked.
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

/// How to prove to Snowflake who connects.
pub const SNOWFLAKE_CREDENTIALS: [&str; 3] = ["password", "private_key_path", "token"];

/// # Errors
/// None of them, or several.
fn one_credential(keys: &Keys<'_>, d: &mut Diagnostics) {
    let given: Vec<&str> = SNOWFLAKE_CREDENTIALS
        .into_iter()
        .filter(|name| keys.has(name))
        .collect();
    match given.as_slice() {
        [_] => {}
        [] => {
            let message = "a snowflake source needs `password`, `private_key_path` or `token`";
            d.error(Code::MissingKey, keys.place().clone(), message).help(
                "secrets come from the environment: `password: \"{{ env_var('SNOWFLAKE_PASSWORD') }}\"`",
            );
        }
        [first, second, ..] => {
            let place = keys.place_of(second).unwrap_or(keys.place()).clone();
            let message = format!("both `{first}` and `{second}` are given");
            d.error(Code::BothForms, place, message)
                .help("keep one: each says who connects");
        }
    }
}

fn read_server(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Server> {
    Some(Server {
        username: keys.prop("username", d),
        password: keys.prop("password", d),
        conn_str: keys.prop("conn_str", d)?,
    })
}
