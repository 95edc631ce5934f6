//! ALTER TABLE: columns added, dropped, renamed, retyped.

use arrow::datatypes::Field;
use sqlparser::ast::{AlterColumnOperation, AlterTable, AlterTableOperation, Ident};

use super::commit::{Change, Outcome, commit, current_schema};
use super::convert::Mapping;
use super::create::{field, schema_of};
use super::database::Staging;
use super::names::{TableId, fold, quote};
use super::near;
use super::rewrite::version;
use super::statement::{parse, unsupported};
use super::types::DEFAULT_KEY;
use crate::batch::types::{BareDecimal, column_type};
use crate::error::{Error, ErrorKind, Result};

/// A column of the table as it is to be, and where its values come from.
struct Column {
    field: Field,
    value: String,
}

/// The columns while the operations are applied.
struct Columns {
    columns: Vec<Column>,
    /// Whether the files have to be written anew, or the schema alone changes.
    rewrite: bool,
    changed: bool,
}

/// Carries out an ALTER TABLE.
pub async fn table(db: &Staging, alter: AlterTable) -> Result<Option<u64>> {
    let id = TableId::of_sql(&alter.name)?;
    let lock = db.tables.lock(&id).await;
    let table = match db.tables.open(&id).await? {
        Some(table) => table,
        None if alter.if_exists => return Ok(None),
        None => return Err(db.tables.missing(&id).await),
    };
    let current = current_schema(&table)?;
    let mut columns = Columns {
        columns: current
            .fields()
            .iter()
            .map(|field| Column {
                value: quote(field.name()),
                field: field.as_ref().clone(),
            })
            .collect(),
        rewrite: false,
        changed: false,
    };
    for operation in &alter.operations {
        let applied = columns.apply(operation);
        applied.map_err(|e| e.context(format!("table `{id}`")))?;
    }
    if !columns.changed {
        return Ok(None);
    }
    let fields = columns.columns.iter().map(|c| c.field.clone()).collect();
    let schema = schema_of(fields)?;
    let version = version(&table)?;
    let outcome = if columns.rewrite {
        let values = columns.columns.iter().enumerate();
        let values = values.map(|(i, c)| format!("{} AS \"c{i}\"", c.value));
        let values: Vec<String> = values.collect();
        let sql = format!("SELECT {} FROM {}", values.join(", "), id.sql());
        let query = db.plan(parse(&sql)?).await?;
        let mapping = Mapping::by_position(schema.clone());
        let written = db.write_files(query, &id, schema.clone(), mapping).await?;
        let change = Change::Rewrite { version };
        commit(&db.tables, &id, &lock, change, &schema, Some(written)).await?
    } else {
        let change = Change::Schema { version };
        commit(&db.tables, &id, &lock, change, &schema, None).await?
    };
    if outcome == Outcome::Stale {
        let message = format!("table `{id}` changed meanwhile");
        return Err(Error::new(ErrorKind::Sql, message).help("run the step again"));
    }
    Ok(None)
}

impl Columns {
    fn apply(&mut self, operation: &AlterTableOperation) -> Result<()> {
        match operation {
            AlterTableOperation::AddColumn {
                if_not_exists,
                column_def,
                ..
            } => self.add(field(column_def)?, *if_not_exists),
            AlterTableOperation::DropColumn {
                column_names,
                if_exists,
                ..
            } => {
                for name in column_names {
                    self.drop(name, *if_exists)?;
                }
                Ok(())
            }
            AlterTableOperation::RenameColumn {
                old_column_name,
                new_column_name,
            } => {
                let column = self.find(old_column_name)?;
                let renamed = column.field.clone().with_name(fold(new_column_name));
                column.field = renamed;
                self.mark(true);
                Ok(())
            }
            AlterTableOperation::AlterColumn { column_name, op } => self.alter(column_name, op),
            other => Err(unsupported(&format!("ALTER TABLE ... {other}"))),
        }
    }

    fn mark(&mut self, rewrite: bool) {
        self.changed = true;
        self.rewrite |= rewrite;
    }

    fn add(&mut self, field: Field, if_not_exists: bool) -> Result<()> {
        if self.columns.iter().any(|c| c.field.name() == field.name()) {
            if if_not_exists {
                return Ok(());
            }
            let message = format!("column `{}` already exists", field.name());
            return Err(Error::new(ErrorKind::Sql, message));
        }
        let default = field.metadata().get(DEFAULT_KEY).cloned();
        // Rows that are there have no value of it: null without a default, which reading the old files gives anyway.
        self.mark(default.is_some() || !field.is_nullable());
        let value = default.map_or_else(|| "NULL".to_string(), |value| format!("({value})"));
        self.columns.push(Column { field, value });
        Ok(())
    }

    fn drop(&mut self, name: &Ident, if_exists: bool) -> Result<()> {
        let folded = fold(name);
        match self.columns.iter().position(|c| *c.field.name() == folded) {
            // Written anew: left in the files, the values would come back with a later column of this name.
            Some(index) => {
                self.columns.remove(index);
                self.mark(true);
                Ok(())
            }
            None if if_exists => Ok(()),
            None => self.find(name).map(|_| ()),
        }
    }

    fn find(&mut self, name: &Ident) -> Result<&mut Column> {
        let name = fold(name);
        let names: Vec<String> = self.columns.iter().map(|c| c.field.name().clone()).collect();
        match self.columns.iter_mut().find(|c| *c.field.name() == name) {
            Some(column) => Ok(column),
            None => {
                let message = format!("column `{name}` does not exist");
                let error = Error::new(ErrorKind::Sql, message);
                Err(match near::help("columns", &name, &names) {
                    Some(help) => error.help(help),
                    None => error,
                })
            }
        }
    }

    fn alter(&mut self, name: &Ident, operation: &AlterColumnOperation) -> Result<()> {
        let column = self.find(name)?;
        let mut field = column.field.clone();
        let mut metadata = field.metadata().clone();
        let rewrite = match operation {
            AlterColumnOperation::SetNotNull => {
                field = field.with_nullable(false);
                true
            }
            AlterColumnOperation::DropNotNull => {
                field = field.with_nullable(true);
                false
            }
            AlterColumnOperation::SetDefault { value } => {
                metadata.insert(DEFAULT_KEY.to_string(), value.to_string());
                field = field.with_metadata(metadata);
                false
            }
            AlterColumnOperation::DropDefault => {
                metadata.remove(DEFAULT_KEY);
                field = field.with_metadata(metadata);
                false
            }
            AlterColumnOperation::SetDataType { data_type, using, .. } => {
                let to = column_type(&data_type.to_string(), BareDecimal::Fixed)?;
                let retyped = Field::new(field.name(), to.arrow, field.is_nullable());
                let default = metadata.remove(DEFAULT_KEY);
                field = to.logical.mark(retyped);
                if let Some(default) = default {
                    let mut metadata = field.metadata().clone();
                    metadata.insert(DEFAULT_KEY.to_string(), default);
                    field = field.with_metadata(metadata);
                }
                if let Some(using) = using {
                    column.value = format!("({using})");
                }
                true
            }
            other => return Err(unsupported(&format!("ALTER COLUMN ... {other}"))),
        };
        column.field = field;
        self.mark(rewrite);
        Ok(())
    }
}
