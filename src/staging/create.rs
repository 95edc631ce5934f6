//! CREATE TABLE, with columns or as the result of a query.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use sqlparser::ast::{ColumnDef, ColumnOption, CreateTable, Statement, TableConstraint};

use super::commit::{Change, commit};
use super::database::Staging;
use super::names::{TableId, fold};
use super::statement::unsupported;
use super::types::{DEFAULT_KEY, declared_schema};
use crate::batch::types::{BareDecimal, column_type};
use crate::error::{Error, ErrorKind, Result};

/// Carries out a CREATE TABLE.
pub async fn table(db: &Staging, create: CreateTable) -> Result<Option<u64>> {
    check(&create)?;
    let id = TableId::of_sql(&create.name)?;
    let change = if create.or_replace {
        Change::Replace
    } else {
        Change::Create
    };
    if change == Change::Create && db.tables.open(&id).await?.is_some() {
        if create.if_not_exists {
            return Ok(None);
        }
        let message = format!("table `{id}` already exists");
        return Err(Error::new(ErrorKind::Sql, message)
            .help("use CREATE OR REPLACE TABLE, or CREATE TABLE IF NOT EXISTS"));
    }
    if let Some(query) = create.query {
        let rows = db.write_query(Statement::Query(query), &id, change).await?;
        return Ok(Some(rows));
    }
    let schema = declared(&create.columns, &create.constraints)?;
    let lock = db.tables.lock(&id).await;
    let created = commit(&db.tables, &id, &lock, change, &schema, None).await;
    if created.is_err() && create.if_not_exists && db.tables.open(&id).await?.is_some() {
        return Ok(None);
    }
    created.map(|_| None)
}

fn check(create: &CreateTable) -> Result<()> {
    if create.temporary {
        return Err(unsupported("CREATE TEMPORARY TABLE"));
    }
    if create.external {
        return Err(unsupported("CREATE EXTERNAL TABLE"));
    }
    if create.like.is_some() || create.clone.is_some() {
        return Err(unsupported("CREATE TABLE LIKE"));
    }
    if create.query.is_some() && !create.columns.is_empty() {
        return Err(unsupported("a column list in CREATE TABLE AS"));
    }
    Ok(())
}

fn declared(columns: &[ColumnDef], constraints: &[TableConstraint]) -> Result<SchemaRef> {
    let mut fields = columns.iter().map(field).collect::<Result<Vec<_>>>()?;
    for constraint in constraints {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                for column in &key.columns {
                    let name = match &column.column.expr {
                        sqlparser::ast::Expr::Identifier(name) => fold(name),
                        other => other.to_string(),
                    };
                    let Some(field) = fields.iter_mut().find(|f| *f.name() == name) else {
                        let message = format!("the primary key's column `{name}` does not exist");
                        return Err(Error::new(ErrorKind::Sql, message));
                    };
                    *field = field.clone().with_nullable(false);
                }
            }
            // Accepted and not enforced, which is what column stores do.
            TableConstraint::Unique(_) | TableConstraint::ForeignKey(_) => {}
            other => return Err(unsupported(&format!("the constraint `{other}`"))),
        }
    }
    declared_schema(&Schema::new(fields))
}

/// Returns a column's declaration as a field. NOT NULL is enforced, a key only in that its columns can't be null.
pub fn field(column: &ColumnDef) -> Result<Field> {
    let sql_type = column.data_type.to_string();
    if sql_type.to_lowercase().ends_with("serial") {
        return Err(unsupported(&format!("the type {sql_type}")));
    }
    let column_type = column_type(&sql_type, BareDecimal::Fixed)?;
    let mut field = Field::new(fold(&column.name), column_type.arrow, true);
    field = column_type.logical.mark(field);
    for option in &column.options {
        match &option.option {
            ColumnOption::Null | ColumnOption::Unique(_) | ColumnOption::ForeignKey(_) => {}
            ColumnOption::NotNull | ColumnOption::PrimaryKey(_) => {
                field = field.with_nullable(false);
            }
            ColumnOption::Default(value) => {
                let mut metadata = field.metadata().clone();
                metadata.insert(DEFAULT_KEY.to_string(), value.to_string());
                field = field.with_metadata(metadata);
            }
            other => {
                return Err(unsupported(&format!("`{other}` of column `{}`", column.name)));
            }
        }
    }
    Ok(field)
}

/// Returns the schema with the field at `index` replaced, added at the end, or removed.
pub fn schema_of(fields: Vec<Field>) -> Result<SchemaRef> {
    declared_schema(&Arc::new(Schema::new(fields)))
}
