//! `migrate_schema`: a table gets the columns that the rows of another table list.

use serde::{Deserialize, Serialize};

use super::Operation;
use super::common::{COMMON, FlowAction};
use super::table::TableRef;
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
        Some(FlowAction::MigrateSchema(Box::new(MigrateSchema {
            target: target?,
            columns: columns?,
        })))
    },
};
