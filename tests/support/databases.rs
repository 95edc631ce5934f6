//! Every kind of database that needs no driver of its own in the program, empty, as a source's file.

use super::{duckdb, installed, mysql, postgres, snowflake};
use indoc::formatdoc;

/// The source of any ADBC driver.
pub fn adbc(driver: &str, uri: &str) -> String {
    let driver = installed::driver(driver);
    formatdoc!(
        r#"
            type: adbc
            driver: {}
            options: {{uri: "{uri}"}}
        "#,
        driver.display()
    )
}

/// All kinds, by their names.
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("staging", "type: staging\n".into()),
        ("postgres", postgres::Database::new().source()),
        ("duckdb", duckdb::source()),
        ("sqlite", "type: sqlite\nconn_str: sqlite:///test.db\n".into()),
        ("mysql", mysql::Database::new().source()),
        ("snowflake", snowflake::Database::new().source()),
        (
            "adbc postgresql",
            adbc("adbc_driver_postgresql", &postgres::Database::new().url),
        ),
    ]
}
