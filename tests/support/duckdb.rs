//! DuckDB, by the library that `tests/setup.sh drivers` installs.
use indoc::formatdoc;

/// A source whose database is a file of the test's project.
pub fn source() -> String {
    formatdoc!(
        "
            type: duckdb
            conn_str: duckdb:///test.db
            driver: {}
        ",
        library()
    )
}

/// The library's path.
pub fn library() -> String {
    let named = std::env::var("SEQUOR_TEST_DUCKDB").ok();
    named.unwrap_or_else(|| super::installed::duckdb().to_string_lossy().into_owned())
}
