//! Connection strings.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// What a connection string names.
#[derive(Debug, PartialEq, Eq)]
pub struct Location {
    /// The file; none: in memory.
    pub file: Option<PathBuf>,
    /// DuckDB's settings, as `?access_mode=read_only` gives them.
    pub settings: Vec<(String, String)>,
}

impl Location {
    /// Reads a connection string as SQLAlchemy writes it. A path in it is relative to `folder`.
    pub fn read(conn_str: &str, folder: &Path) -> Result<Location> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Project, what).help(
                "write duckdb:///path.db, or duckdb:///:memory: for a database that is gone after the run",
            )
        };
        let text = conn_str.trim();
        let path = match text.split_once("://") {
            Some((scheme, rest)) if scheme == "duckdb" || scheme.starts_with("duckdb+") => {
                rest.strip_prefix('/').unwrap_or(rest)
            }
            Some((scheme, _)) => {
                let message =
                    format!("`conn_str` of a duckdb source begins with duckdb:///, not with {scheme}://");
                return Err(wrong(message));
            }
            None => text.strip_prefix("duckdb:").unwrap_or(text),
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
        let of = |text: &str| Location::read(text, folder).unwrap().file;
        assert_eq!(of("duckdb:///data/a.db"), Some("/project/data/a.db".into()));
        assert_eq!(of("duckdb:////data/a.db"), Some("/data/a.db".into()));
        assert_eq!(of("duckdb:a.db"), Some("/project/a.db".into()));
        assert_eq!(of("a.db"), Some("/project/a.db".into()));
        assert_eq!(of("duckdb:///:memory:"), None);
        let with = Location::read("duckdb:///a.db?access_mode=read_only", folder).unwrap();
        assert_eq!(with.file, Some("/project/a.db".into()));
        assert_eq!(
            with.settings,
            [("access_mode".to_string(), "read_only".to_string())]
        );
        for wrong in ["postgres://x", "duckdb:///", "", "md:x"] {
            assert!(Location::read(wrong, folder).is_err(), "{wrong}");
        }
    }
}
