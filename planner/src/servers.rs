//! Which sources are one server: however many names it has, what steps do there is ordered as in one source.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::effects::Resource;
use crate::expr::Prop;
use crate::syntax::{Source, SourceKind, host_and_port};

/// The name that stands for each source that shares its server with another.
#[derive(Debug, Clone, Default)]
pub struct Servers {
    canonical: BTreeMap<String, String>,
}

impl Servers {
    /// Finds the sources that are one server. An address that is known only when the flow runs may be that of any server of
    /// its type. `constants`: variables whose values stay what they are.
    pub fn find(sources: &IndexMap<String, Source>, constants: &IndexMap<String, Json>) -> Servers {
        let constants = |name: &str| constants.get(name);
        // By type and address, the first source that has it.
        let mut first: BTreeMap<(&str, Option<String>), &str> = BTreeMap::new();
        let mut canonical = BTreeMap::new();
        let addresses: Vec<(&Source, Option<String>)> = sources
            .values()
            .filter_map(|source| Some((source, address(source, &constants)?)))
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

    /// Tells whether no two sources share a server.
    pub fn is_plain(&self) -> bool {
        self.canonical.is_empty()
    }

    /// Returns the resource by the name that stands for its source.
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
fn address<'f>(source: &Source, constants: &impl Fn(&str) -> Option<&'f Json>) -> Option<Option<String>> {
    let text = |prop: &Prop| known(prop, constants);
    match &source.kind {
        SourceKind::Http(http) => {
            let base = http.base_url.as_ref()?;
            Some(text(base).and_then(|url| origin(&url)))
        }
        SourceKind::Database(database) => database.kind().address(&text),
    }
}

/// A text that does not depend on the run: a literal, or one in which only constants are put in.
fn known<'f>(prop: &Prop, constants: &impl Fn(&str) -> Option<&'f Json>) -> Option<String> {
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
        match constants(name)? {
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

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn origins_are_spelled_one_way() {
        assert_eq!(
            origin("https://API.shop.com/v1"),
            origin("https://api.shop.com:443")
        );
        assert_ne!(origin("https://api.shop.com"), origin("http://api.shop.com"));
        assert_eq!(origin("/v1"), None);
    }
}
