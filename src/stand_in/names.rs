//! What tables and columns of the real database are called in the one that stands in for it.

use sequor_planner::Dialect;

use crate::sources::database::TableName;

/// What stands between the parts of a namespace of which the real database has two.
const BETWEEN: &str = "__";

/// How names of a real database are stored.
#[derive(Debug, Clone)]
pub struct Names {
    pub dialect: Dialect,
    /// The database that the source is connected to, where it has several.
    database: Option<String>,
    /// The namespace of tables that are named without one.
    namespace: Option<String>,
}

impl Names {
    /// Returns the names of a source. `database`, `namespace`: what tables are in that are named without.
    pub fn new(dialect: Dialect, database: Option<&str>, namespace: Option<&str>) -> Names {
        let default = default_namespace(dialect);
        Names {
            dialect,
            database: database.map(str::to_lowercase),
            namespace: namespace.or(default).map(str::to_lowercase),
        }
    }

    /// Returns the name of a table as it is stored: the database and the namespace that it is in anyway are left out.
    pub fn stored(&self, table: &TableName) -> TableName {
        let fold = |name: &String| folded(self.dialect, name);
        let same = |name: &String, default: &Option<String>| {
            default
                .as_ref()
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        // PostgreSQL has no other database than the one it is connected to.
        let other = table.database.as_ref().map(fold);
        let other = other.filter(|name| self.dialect != Dialect::Postgres && !same(name, &self.database));
        let namespace = table
            .namespace
            .as_ref()
            .map(fold)
            .filter(|name| !same(name, &self.namespace));
        TableName {
            database: None,
            namespace: match other {
                None => namespace,
                Some(other) => Some(format!("{other}{BETWEEN}{}", namespace.unwrap_or_default())),
            },
            table: folded(self.dialect, &table.table),
        }
    }
}

/// Returns a name as it is stored: Snowflake's own upper case is written in lower case, so that it is found unquoted.
pub fn folded(dialect: Dialect, name: &str) -> String {
    let is_upper = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_ascii_lowercase());
    match dialect {
        Dialect::Snowflake if is_upper(name) => name.to_ascii_lowercase(),
        Dialect::DuckDb | Dialect::Sqlite | Dialect::MySql | Dialect::Generic => name.to_lowercase(),
        _ => name.to_string(),
    }
}

/// Returns the name of a column as the real database gives it.
pub fn shown(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Snowflake if !name.contains(|c: char| c.is_ascii_uppercase()) => name.to_ascii_uppercase(),
        _ => name.to_string(),
    }
}

fn default_namespace(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::Postgres => Some("public"),
        Dialect::Snowflake => Some("public"),
        Dialect::DuckDb | Dialect::Sqlite | Dialect::Staging => Some("main"),
        Dialect::MySql | Dialect::Generic => None,
    }
}
