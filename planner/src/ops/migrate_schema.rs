//! `migrate_schema`: a table gets the columns that the rows of another table list.

use serde::{Deserialize, Serialize};

use super::Operation;
use super::common::{COMMON, FlowAction};
use super::plain::{Plain, PlainOperation};
use super::table::TableRef;
use super::write_mode::WriteMode;
use crate::effects::{Effects, FlowScope};
use crate::span::Place;
use crate::syntax::{Form, Key, Shape};

/// `migrate_schema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MigrateSchema {
    pub target: TableRef,
    /// The table whose rows are the columns: `name`, `type`.
    pub columns: TableRef,
}

pub(super) const OPERATION: Operation = Operation {
    shape: &Shape {
        what: "a migrate_schema",
        doc: "Gives a table the columns that the rows (`name`, `type`) of another table list: missing ones are added, others dropped. The rows of the table stay.",
        with: &[&COMMON],
        keys: &[
            Key::new("target_source", Form::Name, "The database source of the table.")
                .required()
                .deferred(),
            Key::new("target_database", Form::Text, "The database of the table."),
            Key::new("target_namespace", Form::Text, "The schema of the table."),
            Key::new(
                "target_table",
                Form::Text,
                "The table that gets the columns; created when missing.",
            )
            .required(),
            Key::new("columns_source", Form::Name, "The database source of the list.")
                .required()
                .deferred(),
            Key::new("columns_database", Form::Text, "The database of the list."),
            Key::new("columns_namespace", Form::Text, "The schema of the list."),
            Key::new(
                "columns_table",
                Form::Text,
                "The table that lists the columns: one row each, with `name` and `type`.",
            )
            .required(),
        ],
    },
    read: |keys, d| {
        let mut table = |source: &str, database: &str, namespace: &str, table: &str| {
            let name = keys.name(source, d);
            let (database, namespace) = (keys.prop(database, d), keys.prop(namespace, d));
            let named = keys.prop(table, d);
            let (source, place) = name?;
            Some(TableRef {
                source,
                database,
                namespace,
                table: named?,
                place: keys.place_of(table).unwrap_or(&place).clone(),
            })
        };
        let target = table(
            "target_source",
            "target_database",
            "target_namespace",
            "target_table",
        );
        let columns = table(
            "columns_source",
            "columns_database",
            "columns_namespace",
            "columns_table",
        );
        Some(FlowAction::plain(Plain::MigrateSchema(MigrateSchema {
            target: target?,
            columns: columns?,
        })))
    },
};

impl PlainOperation for MigrateSchema {
    fn databases(&self) -> Vec<(&str, &Place)> {
        let tables = [&self.target, &self.columns].into_iter();
        tables
            .map(|table| (table.source.as_str(), &table.place))
            .collect()
    }

    fn fills(&self) -> Option<(&TableRef, Option<&WriteMode>)> {
        Some((&self.target, None))
    }

    fn plan(&mut self, effects: &mut Effects, scope: &FlowScope<'_>) -> Vec<(String, Place)> {
        let columns = self.columns.resource(effects, scope);
        effects.reads.insert(columns);
        let target = self.target.resource(effects, scope);
        // Its rows stay: it is read as well as written.
        effects.reads.insert(target.clone());
        effects.writes.insert(target);
        effects.at_once("changes the columns of a table");
        Vec::new()
    }

    fn summary(&self) -> String {
        let (target, columns) = (self.target.in_short(), self.columns.in_short());
        format!("columns of {target} as {columns} lists them")
    }
}
