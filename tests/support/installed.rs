//! Files of the Python packages that `tests/setup.sh` puts beside the builds.

use std::path::{Path, PathBuf};

/// The folders whose names begin so.
fn folders(prefix: &str) -> Vec<PathBuf> {
    let builds = Path::new(env!("CARGO_BIN_EXE_sequor")).ancestors().nth(2);
    let entries = builds.and_then(|builds| std::fs::read_dir(builds).ok());
    let entries = entries.into_iter().flatten().flatten().map(|e| e.path());
    entries
        .filter(|f| {
            let name = f.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(prefix)
        })
        .collect()
}

/// A driver's library.
pub fn driver(package: &str) -> PathBuf {
    find("test-python-", "drivers", &format!("{package}/lib{package}.so"))
}

/// The folder of Python's Jinja2.
pub fn jinja2() -> PathBuf {
    find("test-jinja2-", "jinja2", "jinja2/__init__.py")
        .ancestors()
        .nth(2)
        .expect("the file is in a folder of a folder")
        .to_path_buf()
}

/// The folder of a server that speaks Snowflake's protocol.
pub fn fakesnow() -> PathBuf {
    find("test-fakesnow-", "fakesnow", "bin/fakesnow")
        .ancestors()
        .nth(2)
        .expect("the file is in a folder of a folder")
        .to_path_buf()
}

/// DuckDB's library.
pub fn duckdb() -> PathBuf {
    let mut files = folders("test-python-")
        .into_iter()
        .filter_map(|f| std::fs::read_dir(f).ok())
        .flat_map(|f| f.flatten())
        .map(|f| f.path());
    let library = files.find(|f| {
        let name = f.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("_duckdb") && name.ends_with(".so")
    });
    library.unwrap_or_else(|| missing("DuckDB's library", "drivers"))
}

fn find(prefix: &str, need: &str, file: &str) -> PathBuf {
    let found = folders(prefix)
        .into_iter()
        .map(|f| f.join(file))
        .find(|f| f.exists());
    found.unwrap_or_else(|| missing(file, need))
}

fn missing(what: &str, need: &str) -> ! {
    panic!("the tests need {what}: run `. tests/setup.sh {need}` first, as tests/run does")
}
