//! DuckDB's library, which `tests/setup.sh duckdb` installs.

use std::path::Path;

/// A source whose database is a file of the test's project.
pub fn source() -> String {
    format!(
        "type: duckdb\nconn_str: duckdb:///test.db\ndriver: {}\n",
        library()
    )
}

/// The library's path.
pub fn library() -> String {
    let library = std::env::var("SEQUOR_TEST_DUCKDB").ok().or_else(installed);
    library.unwrap_or_else(|| {
        panic!("the tests need DuckDB's library: run `. tests/setup.sh duckdb` first, as tests/run does")
    })
}

/// The library that an earlier `tests/setup.sh duckdb` put beside the builds.
fn installed() -> Option<String> {
    let builds = Path::new(env!("CARGO_BIN_EXE_sequor")).ancestors().nth(2)?;
    let folders = std::fs::read_dir(builds).ok()?.flatten().map(|f| f.path());
    let folders = folders.filter(|f| {
        f.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("test-python-"))
    });
    let files = folders
        .filter_map(|f| std::fs::read_dir(f).ok())
        .flat_map(|f| f.flatten());
    let mut libraries = files.map(|f| f.path()).filter(|f| {
        let name = f.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("_duckdb") && name.ends_with(".so")
    });
    Some(libraries.next()?.to_string_lossy().into_owned())
}
