//! Which sources are one server: however many names it has, what steps do there is ordered as in one source.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::effects::Resource;
use crate::expr::Prop;
use crate::syntax::{DatabaseSource, Source, SourceKind};

/// The name that stands for each source that shares its server with another.
#[derive(Debug, Clone, Default)]
pub struct Servers {
    canonical: BTreeMap<String, String>,
}

impl Servers {
    /// Finds the sources that are one server. An address that is known only when the flow runs may be that of any server of
    /// its type. `facts`: variables whose values stay what they are.
    pub fn find(sources: &IndexMap<String, Source>, facts: &IndexMap<String, Json>) -> Servers {
        let facts = |name: &str| facts.get(name);
        // By type and address, the first source that has it.
        let mut first: BTreeMap<(&str, Option<String>), &str> = BTreeMap::new();
        let mut canonical = BTreeMap::new();
        let addresses: Vec<(&Source, Option<String>)> = sources
            .values()
            .filter_map(|source| Some((source, address(source, &facts)?)))
            .collect();
        let unknown: BTreeSet<&str> = addresses
            .iter()
            .filter(|(source, address)| address.is_none() && source.dialect().is_some())
            .map(|(source, _)| source.type_name())
            .collect();
        for (source, address) in addresses {
            // An API whose address is not known goes by its name.
            if address.is_none() && source.dialect().is_none() {
                continue;
            }
            let kind = source.type_name();
            let address = address.filter(|_| !unknown.contains(kind));
            let known = *first.entry((kind, address)).or_insert(&source.name);
            if known != source.name {
                canonical.insert(source.name.clone(), known.to_string());
            }
        }
        Servers { canonical }
    }

    /// Whether no two sources share a server.
    pub fn is_plain(&self) -> bool {
        self.canonical.is_empty()
    }

    /// The resource by the name that stands for its source.
    pub fn canonical<'r>(&self, resource: &'r Resource) -> Cow<'r, Resource> {
        let of = |source: &String| self.canonical.get(source).cloned();
        let renamed = match resource {
            Resource::Table {
                source,
                database,
                namespace,
                table,
            } => of(source).map(|source| Resource::Table {
                source,
                database: database.clone(),
                namespace: namespace.clone(),
                table: table.clone(),
            }),
            Resource::Source(source) => of(source).map(Resource::Source),
            Resource::Api(name) => of(name).map(Resource::Api),
            _ => None,
        };
        renamed.map_or(Cow::Borrowed(resource), Cow::Owned)
    }
}

/// Where a source is, spelled one way; none inside where only the run knows. None where it shares nothing with others.
fn address<'f>(source: &Source, facts: &impl Fn(&str) -> Option<&'f Json>) -> Option<Option<String>> {
    let text = |prop: &Prop| known(prop, facts);
    match &source.kind {
        SourceKind::Http(http) => {
            let base = http.base_url.as_ref()?;
            Some(text(base).and_then(|url| origin(&url)))
        }
        SourceKind::Database(database) => match &**database {
            DatabaseSource::Postgres(server) => {
                Some(text(&server.conn_str).and_then(|s| server_of(&s, 5432)))
            }
            DatabaseSource::MySql(server) => Some(text(&server.conn_str).and_then(|s| server_of(&s, 3306))),
            DatabaseSource::Sqlite(conn_str) => file(text(conn_str)),
            DatabaseSource::DuckDb(source) => file(text(&source.conn_str)),
            DatabaseSource::Snowflake(source) => Some(text(&source.account).map(|a| a.to_lowercase())),
            // What a driver's options mean only it knows.
            DatabaseSource::Adbc(_) => Some(None),
            DatabaseSource::Staging => None,
        },
    }
}

/// A text that does not depend on the run: a literal, or one in which only facts are put in.
fn known<'f>(prop: &Prop, facts: &impl Fn(&str) -> Option<&'f Json>) -> Option<String> {
    let code = match prop {
        Prop::Literal(Json::String(text)) => return Some(text.clone()),
        Prop::Jinja {
            code, python: false, ..
        } => code,
        _ => return None,
    };
    let mut text = String::new();
    let mut rest = &*code.text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (inside, after) = behind.split_once("}}")?;
        let name = inside.trim().strip_prefix("var(")?.strip_suffix(')')?.trim();
        let name = name.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
        text.push_str(before);
        match facts(name)? {
            Json::String(value) => text.push_str(value),
            Json::Number(value) => text.push_str(&value.to_string()),
            _ => return None,
        }
        rest = after;
    }
    text.push_str(rest);
    (!text.contains("{%") && !text.contains("{#")).then_some(text)
}

/// `scheme://host:port` of a url.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let scheme = scheme.to_lowercase();
    let port = if scheme == "https" { 443 } else { 80 };
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    Some(format!("{scheme}://{}", host_and_port(host, port)))
}

/// `host:port/database` of a connection string.
fn server_of(conn_str: &str, port: u16) -> Option<String> {
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

/// A host without user and password, its port given, loopback by one name.
fn host_and_port(text: &str, port: u16) -> String {
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

/// A file, its path without detours. Each database in memory is one of its own.
fn file(conn_str: Option<String>) -> Option<Option<String>> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn origins_are_spelled_one_way() {
        assert_eq!(
            origin("https://API.shop.com/v1"),
            origin("https://api.shop.com:443")
        );
        assert_ne!(origin("https://api.shop.com"), origin("http://api.shop.com"));
        assert_eq!(origin("/v1"), None);
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
