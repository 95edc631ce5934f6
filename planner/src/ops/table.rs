//! Tables as steps name them.

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::effects::{Effects, FlowScope, Resource};
use crate::expr::Prop;
use crate::names::name_parts;
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Shape};

/// A table of a source. Source is known when planning; the rest may be computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRef {
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Prop>,
    pub table: Prop,
    #[serde(skip)]
    pub place: Place,
}

impl TableRef {
    /// Returns a table as a resource, and what computing its name reads.
    pub fn resource(&self, effects: &mut Effects, scope: &FlowScope<'_>) -> Resource {
        let parts = [self.database.as_ref(), self.namespace.as_ref(), Some(&self.table)];
        let known = parts.iter().flatten().all(|p| p.as_text().is_some());
        parts
            .iter()
            .flatten()
            .for_each(|p| effects.read_uses(&p.uses(), scope));
        let text = |p: &Option<Prop>| p.as_ref().and_then(Prop::as_text).map(str::to_string);
        let parts = self.table.as_text().filter(|_| known).and_then(name_parts);
        let Some(mut parts) = parts else {
            return Effects::place_in(&self.source, Resource::Source);
        };
        let mut last = || parts.pop().map(|part| part.text);
        let name = last().unwrap_or_default();
        let namespace = last().or_else(|| text(&self.namespace));
        let database = last().or_else(|| text(&self.database));
        Effects::place_in(&self.source, |source| Resource::Table {
            source,
            database,
            namespace,
            table: name,
        })
    }

    /// Returns the table in one line.
    pub fn in_short(&self) -> String {
        let mut name = self.source.clone();
        for part in [&self.database, &self.namespace].into_iter().flatten() {
            name.push('.');
            name.push_str(&part.in_short());
        }
        format!("{name}.{}", self.table.in_short())
    }
}

/// The keys that name a table.
pub static TABLE: Shape = Shape {
    what: "a table",
    doc: "A table of a database source.",
    with: &[],
    keys: &[
        Key::new("source", Form::Name, "The database source.").deferred(),
        Key::new(
            "database",
            Form::Text,
            "The database, where the source has several.",
        ),
        Key::new("namespace", Form::Text, "The schema."),
        Key::new("table", Form::Text, "The table."),
    ],
};

/// Parts of a table's name that entries inherit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableDefaults {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip)]
    pub(super) source_place: Option<Place>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Prop>,
}

impl TableDefaults {
    /// Reads `source`, `database`, `namespace` and `table`, all optional.
    pub fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Self {
        let (source, source_place) = keys.name("source", d).unzip();
        TableDefaults {
            source,
            source_place,
            database: keys.prop("database", d),
            namespace: keys.prop("namespace", d),
            table: keys.prop("table", d),
        }
    }

    /// Tells whether nothing is given.
    pub fn is_empty(&self) -> bool {
        self == &TableDefaults::default()
    }

    /// Returns where the source stands.
    pub fn place(&self) -> Option<&Place> {
        self.source_place.as_ref()
    }

    /// Reads a table's name, taking from `self` what is not given.
    pub fn table(&self, keys: &Keys<'_>, d: &mut Diagnostics) -> Option<TableRef> {
        let own = TableDefaults::read(keys, d);
        let mut missing = |key: &str| {
            if !keys.has(key) {
                let message = format!("a table of a response needs `{key}`");
                d.error(Code::MissingKey, keys.place().clone(), message);
            }
        };
        let source = own.source.or_else(|| self.source.clone());
        let table = own.table.or_else(|| self.table.clone());
        if source.is_none() {
            missing("source");
        }
        if table.is_none() {
            missing("table");
        }
        let place = own.source_place.as_ref().or(self.source_place.as_ref());
        let place = keys.place_of("table").or(place).unwrap_or(keys.place());
        Some(TableRef {
            source: source?,
            database: own.database.or_else(|| self.database.clone()),
            namespace: own.namespace.or_else(|| self.namespace.clone()),
            table: table?,
            place: place.clone(),
        })
    }
}
