//! The SQL dialects that the planner reads.

use serde::Serialize;

/// Which SQL a source speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// The embedded staging database: DataFusion's SQL in PostgreSQL's spelling.
    Staging,
    /// DuckDB.
    DuckDb,
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB.
    MySql,
    /// Snowflake.
    Snowflake,
    /// A database that only its ADBC driver knows.
    Generic,
}

impl Dialect {
    /// Tells whether a name in a query may stand for a view.
    pub fn has_views(self) -> bool {
        self != Dialect::Staging
    }

    /// Returns the parser's dialect for it.
    pub fn parser(self) -> Box<dyn sqlparser::dialect::Dialect> {
        match self {
            Dialect::Postgres | Dialect::Staging => Box::new(sqlparser::dialect::PostgreSqlDialect {}),
            Dialect::DuckDb => Box::new(sqlparser::dialect::DuckDbDialect {}),
            Dialect::Sqlite => Box::new(sqlparser::dialect::SQLiteDialect {}),
            Dialect::MySql => Box::new(sqlparser::dialect::MySqlDialect {}),
            Dialect::Snowflake => Box::new(sqlparser::dialect::SnowflakeDialect {}),
            Dialect::Generic => Box::new(sqlparser::dialect::GenericDialect {}),
        }
    }
}
