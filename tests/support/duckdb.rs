//! DuckDB, by the library that `tests/setup.sh drivers` installs.

/// A source whose database is a file of the test's project.
pub fn source() -> String {
    format!(
        "type: duckdb\nconn_str: duckdb:///test.db\ndriver: {}\n",
        library()
    )
}

/// The library's path.
pub fn library() -> String {
    let named = std::env::var("SEQUOR_TEST_DUCKDB").ok();
    named.unwrap_or_else(|| super::installed::duckdb().to_string_lossy().into_owned())
}
