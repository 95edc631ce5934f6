//! How an account is reached: the driver's options
//! (<https://arrow.apache.org/adbc/current/driver/snowflake.html#client-options>).

use std::sync::Arc;

use super::database::Snowflake;
use crate::sources::blocking::blocking;
use crate::sources::database::Database;
use crate::sources::settings::Settings;
use sequor_planner::syntax::SnowflakeSource;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// An account, and who connects to it.
#[derive(Debug, Default)]
pub struct Account {
    pub account: String,
    pub user: Option<String>,
    pub credential: Credential,
    pub warehouse: Option<String>,
    pub role: Option<String>,
    pub database: Option<String>,
    pub schema: Option<String>,
    pub host: Option<String>,
    pub port: Option<String>,
    pub protocol: Option<String>,
}

/// How it is proved who connects.
#[derive(Debug, Default)]
pub enum Credential {
    #[default]
    None,
    Password(Secret),
    /// A private key in PEM, and its passphrase.
    Key(PathBuf, Option<Secret>),
    Token(Secret),
}

impl Account {
    /// Returns the options of the driver; secrets are among them.
    pub fn options(&self) -> Result<Vec<(&'static str, String)>> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Project, what));
        if let Some(protocol) = &self.protocol
            && !matches!(protocol.as_str(), "http" | "https")
        {
            return wrong(format!("`protocol` is http or https, not `{protocol}`"));
        }
        if let Some(port) = &self.port
            && port.parse::<u16>().is_err()
        {
            return wrong(format!("`port` is a number, not `{port}`"));
        }
        let mut options = vec![
            ("adbc.snowflake.sql.account", self.account.clone()),
            ("adbc.snowflake.sql.client_option.app_name", "sequor".to_string()),
            (
                "adbc.snowflake.sql.client_option.disable_telemetry",
                "true".to_string(),
            ),
            (
                "adbc.snowflake.sql.client_option.login_timeout",
                "30s".to_string(),
            ),
            // Nanoseconds reach from 1677 to 2262 only.
            (
                "adbc.snowflake.sql.client_option.max_timestamp_precision",
                "microseconds".to_string(),
            ),
        ];
        let given = [
            ("username", &self.user),
            ("adbc.snowflake.sql.warehouse", &self.warehouse),
            ("adbc.snowflake.sql.role", &self.role),
            ("adbc.snowflake.sql.db", &self.database),
            ("adbc.snowflake.sql.schema", &self.schema),
            ("adbc.snowflake.sql.uri.host", &self.host),
            ("adbc.snowflake.sql.uri.port", &self.port),
            ("adbc.snowflake.sql.uri.protocol", &self.protocol),
        ];
        options.extend(
            given
                .into_iter()
                .filter_map(|(name, value)| value.clone().map(|value| (name, value))),
        );
        match &self.credential {
            Credential::None => {}
            Credential::Password(password) => options.push(("password", password.reveal().to_string())),
            Credential::Token(token) => {
                options.push(("adbc.snowflake.sql.auth_type", "auth_pat".into()));
                options.push((
                    "adbc.snowflake.sql.client_option.auth_token",
                    token.reveal().to_string(),
                ));
            }
            Credential::Key(path, passphrase) => {
                let pem = std::fs::read_to_string(path).map_err(|e| {
                    let message = format!("the private key {} can't be read: {e}", path.display());
                    Error::new(ErrorKind::Project, message)
                })?;
                options.push(("adbc.snowflake.sql.auth_type", "auth_jwt".into()));
                options.push((
                    "adbc.snowflake.sql.client_option.jwt_private_key_pkcs8_value",
                    pem,
                ));
                if let Some(passphrase) = passphrase {
                    options.push((
                        "adbc.snowflake.sql.client_option.jwt_private_key_pkcs8_password",
                        passphrase.reveal().to_string(),
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// Opens the database of a source.
///
/// # Errors
/// Settings that can't be evaluated; no driver; an account that can't be reached, or refuses.
pub async fn open(source: &SnowflakeSource, settings: &dyn Settings) -> Result<Arc<dyn Database>> {
    let account = account(source, settings).await?;
    let driver = match settings.driver(&source.driver).await? {
        Some(driver) => Some(driver),
        None => settings.packaged("adbc_driver_snowflake").await?,
    };
    let opened = blocking(move || Snowflake::open(&account, driver)).await?;
    Ok(Arc::new(opened.quoted_names(settings.quoted())))
}

/// The account as the source gives it.
async fn account(source: &SnowflakeSource, settings: &dyn Settings) -> Result<Account> {
    let credential = if let Some(password) = settings.secret(&source.password).await? {
        Credential::Password(password)
    } else if let Some(path) = settings.maybe(&source.private_key_path).await? {
        let passphrase = settings.secret(&source.private_key_passphrase).await?;
        Credential::Key(settings.folder().join(path), passphrase)
    } else if let Some(token) = settings.secret(&source.token).await? {
        Credential::Token(token)
    } else {
        Credential::None
    };
    Ok(Account {
        account: settings.text(&source.account).await?,
        user: settings.maybe(&source.user).await?,
        credential,
        warehouse: settings.maybe(&source.warehouse).await?,
        role: settings.maybe(&source.role).await?,
        database: settings.maybe(&source.database).await?,
        schema: settings.maybe(&source.schema).await?,
        host: settings.maybe(&source.host).await?,
        port: settings.maybe(&source.port).await?,
        protocol: settings.maybe(&source.protocol).await?,
    })
}
