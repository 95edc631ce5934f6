//! `type: snowflake`: a Snowflake database.

use serde::{Deserialize, Serialize};

use super::{DatabaseKind, Facts, NAMES};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::{Prop, each_prop};
use crate::syntax::hidden::hide;
use crate::syntax::source::TYPE;
use crate::syntax::{Form, Key, Keys, Shape};

/// The keys of a snowflake source.
pub static SHAPE: Shape = Shape {
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

each_prop! {
    SnowflakeSource {
        account, user, password, private_key_path, private_key_passphrase, token, warehouse, role, database, schema,
        host, port, protocol, driver
    }
}

/// Reads the source, its keys already checked.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<SnowflakeSource> {
    one_credential(keys, d);
    Some(SnowflakeSource {
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
    })
}

/// How to prove to Snowflake who connects.
pub const SNOWFLAKE_CREDENTIALS: [&str; 3] = ["password", "private_key_path", "token"];

/// Reports none of them, or several.
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

impl DatabaseKind for SnowflakeSource {
    fn dialect(&self) -> Dialect {
        Dialect::Snowflake
    }

    fn address(&self, facts: &Facts<'_>) -> Option<Option<String>> {
        Some(facts(&self.account).map(|account| account.to_lowercase()))
    }

    fn hide_secrets(&mut self) {
        let secrets = [
            &mut self.password,
            &mut self.private_key_passphrase,
            &mut self.token,
        ];
        secrets.into_iter().flatten().for_each(hide);
    }
}
