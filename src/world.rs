//! What expressions can ask for: the one thing Jinja and Python know of the run around them.

use crate::error::{Error, ErrorKind, Result};
use crate::value::Row;
use crate::value::Value;
use chrono::{DateTime, Utc};

/// Rows that an expression asks for.
#[derive(Debug, Clone)]
pub enum Ask {
    Table {
        source: String,
        table: String,
        database: Option<String>,
        namespace: Option<String>,
    },
    Query {
        source: String,
        sql: String,
    },
}

/// The scope an expression is evaluated in.
pub trait World: Send + Sync {
    /// The value of a variable, if it is defined.
    fn variable(&self, name: &str) -> Option<Value>;

    /// Keeps the object that a local variable was read as, so that what is changed in place stays changed. Variables of
    /// the project are read anew each time.
    fn keep(&self, name: &str, value: Value);

    /// A name near to `name`, for a variable that is not defined.
    fn near(&self, name: &str) -> Option<String>;

    /// Rows of a table or query. Blocks: never called on a thread that drives the runtime.
    fn rows(&self, ask: &Ask) -> Result<Vec<Row>>;

    /// A variable of the process's environment.
    fn environment(&self, name: &str) -> Option<String>;

    /// What stands for a variable of the process's environment that is not set; none: that is an error.
    fn missing_environment(&self, _name: &str) -> Option<String> {
        None
    }

    /// What stands for a variable that is not defined; none: that is an error.
    fn missing_variable(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The same, whose value no output shows from now on.
    fn secret(&self, name: &str) -> Option<String>;

    /// The time.
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// `var(name)`: the variable, or the error that says it is not there.
pub fn var(world: &dyn World, name: &str) -> Result<Value> {
    let found = world.variable(name).or_else(|| world.missing_variable(name));
    found.ok_or_else(|| undefined(world, name))
}

/// Returns the error of a variable that is not defined.
pub fn undefined(world: &dyn World, name: &str) -> Error {
    let help = world.near(name).map_or_else(
        || format!("set it in the environment's `variables`, with `--var {name}=...`, or in a step before"),
        |near| format!("did you mean `{near}`?"),
    );
    Error::new(ErrorKind::Variable, format!("variable '{name}' is not defined")).help(help)
}

/// Returns the one value of a query's only row.
pub fn scalar(rows: &[Row]) -> Result<Value> {
    match rows {
        [] => Ok(Value::Null),
        [row] if row.len() == 1 => Ok(row.iter().next().map_or(Value::Null, |(_, value)| value)),
        [row] => Err(Error::new(
            ErrorKind::Data,
            format!("query_scalar needs one column, and the query gives {}", row.len()),
        )),
        rows => Err(Error::new(
            ErrorKind::Data,
            format!("query_scalar needs one row, and the query gives {}", rows.len()),
        )),
    }
}

/// Returns what stands for a missing variable of the process's environment.
///
/// # Errors
/// Nothing does: it is missing.
pub fn no_env(world: &dyn World, name: &str) -> Result<String> {
    if let Some(text) = world.missing_environment(name) {
        return Ok(text);
    }
    let message = format!("the environment variable {name} is not set");
    Err(Error::new(ErrorKind::Variable, message).help(format!(
        "set {name} before running, or give a default: env_var('{name}', 'default')"
    )))
}
