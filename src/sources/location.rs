//! Connection strings of databases in files.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// What a connection string names.
#[derive(Debug, PartialEq, Eq)]
pub struct Location {
    /// The file; none: in memory.
    pub file: Option<PathBuf>,
    /// The database's settings, as `?access_mode=read_only` gives them.
    pub settings: Vec<(String, String)>,
}

impl Location {
    /// Reads a connection string as SQLAlchemy writes it. `scheme`: what it begins with. A path in it is relative to
    /// `folder`.
    pub fn read(conn_str: &str, scheme: &str, folder: &Path) -> Result<Location> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Project, what).help(format!(
                "write {scheme}:///path.db, or {scheme}:///:memory: for a database that is gone after the run",
            ))
        };
        let text = conn_str.trim();
        let path = match text.split_once("://") {
            // SQLAlchemy names its Python driver behind a plus.
            Some((given, rest)) if given.split('+').next() == Some(scheme) => {
                rest.strip_prefix('/').unwrap_or(rest)
            }
            Some((given, _)) => {
                let message =
                    format!("`conn_str` of a {scheme} source begins with {scheme}:///, not with {given}://");
                return Err(wrong(message));
            }
            None => text
                .strip_prefix(scheme)
                .and_then(|rest| rest.strip_prefix(':'))
                .unwrap_or(text),
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let settings = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let file = match path {
            ":memory:" => None,
            "" => return Err(wrong(format!("`conn_str` `{text}` names no file"))),
            path if path.starts_with("md:") => return Err(wrong("MotherDuck is not supported".into())),
            path => Some(folder.join(path)),
        };
        Ok(Location { file, settings })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let folder = Path::new("/project");
        let of = |text: &str| Location::read(text, "duckdb", folder).unwrap().file;
        assert_eq!(of("duckdb:///data/a.db"), Some("/project/data/a.db".into()));
        assert_eq!(of("duckdb:////data/a.db"), Some("/data/a.db".into()));
        assert_eq!(of("duckdb:a.db"), Some("/project/a.db".into()));
        assert_eq!(of("a.db"), Some("/project/a.db".into()));
        assert_eq!(of("duckdb:///:memory:"), None);
        let with = Location::read("duckdb:///a.db?access_mode=read_only", "duckdb", folder).unwrap();
        assert_eq!(with.file, Some("/project/a.db".into()));
        assert_eq!(
            with.settings,
            [("access_mode".to_string(), "read_only".to_string())]
        );
        let lite = Location::read("sqlite+pysqlite:///a.db", "sqlite", folder).unwrap();
        assert_eq!(lite.file, Some("/project/a.db".into()));
        for wrong in ["postgres://x", "duckdb:///", "", "md:x"] {
            assert!(Location::read(wrong, "duckdb", folder).is_err(), "{wrong}");
        }
    }
}
