//! Where a database is, spelled one way.

/// `host:port/database` of a connection string.
pub fn server_of(conn_str: &str, port: u16) -> Option<String> {
    let (_, rest) = conn_str.trim().split_once("://")?;
    let rest = rest.split('#').next().unwrap_or(rest);
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    // What options say of the server is for the driver to read.
    let moved = ["host", "port", "dbname"];
    if options
        .split('&')
        .any(|option| moved.contains(&option.split('=').next().unwrap_or_default()))
    {
        return None;
    }
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    Some(format!("{}/{database}", host_and_port(host, port)))
}

/// Returns a file, its path without detours. Each database in memory is one of its own.
pub fn file(conn_str: Option<String>) -> Option<Option<String>> {
    let Some(text) = conn_str else {
        return Some(None);
    };
    let path = match text.trim().split_once("://") {
        // Three slashes: relative to the project; four: from the root.
        Some((_, rest)) => rest.strip_prefix('/').unwrap_or(rest),
        None => text.trim(),
    };
    let path = path.split('?').next().unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, "" | "..")) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(Some(parts.join("/")))
}

/// Returns a host without user and password, its port given, loopback by one name.
pub(crate) fn host_and_port(text: &str, port: u16) -> String {
    let text = text
        .rsplit_once('@')
        .map_or(text, |(_, host)| host)
        .to_lowercase();
    let (host, given) = match text.rsplit_once(':') {
        Some((host, given)) if given.chars().all(|c| c.is_ascii_digit()) && !host.is_empty() => {
            (host.to_string(), given.parse().unwrap_or(port))
        }
        _ => (text, port),
    };
    let host = match host.trim_end_matches('.') {
        "" | "localhost" | "127.0.0.1" | "[::1]" => "localhost",
        host => host,
    };
    format!("{host}:{given}")
}

#[cfg(test)]
mod tests {
    use super::{file, server_of};

    #[test]
    fn servers_are_spelled_one_way() {
        let server = |text: &str| server_of(text, 5432);
        let one = server("postgresql://u:p@localhost:5432/db");
        assert!(one.is_some());
        for other in [
            "postgresql+psycopg2://127.0.0.1/db",
            "postgres://x@LOCALHOST/db?sslmode=disable",
            "postgresql://[::1]:5432/db",
        ] {
            assert_eq!(server(other), one, "{other}");
        }
        for other in ["postgresql://localhost/other", "postgresql://localhost:5433/db"] {
            assert_ne!(server(other), one, "{other}");
        }
        assert_eq!(server("postgresql:///db?host=/tmp"), None);
    }

    #[test]
    fn files_are_spelled_one_way() {
        let path = |text: &str| file(Some(text.to_string()));
        assert_eq!(path("duckdb:///data/../data/x.db"), path("data/x.db"));
        assert_eq!(path("duckdb:////abs/x.db"), path("/abs/./x.db"));
        assert_eq!(path("duckdb:///:memory:"), None);
        assert_eq!(file(None), Some(None));
    }
}
