//! One statement: parsing it, and who carries it out.

use sqlparser::ast::{ObjectType, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::database::Staging;
use super::names::TableId;
use super::{alter, create, error, insert, modify};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::precedence::regroup;

const SUPPORTED: &str = "the staging database runs SELECT, CREATE TABLE [AS], DROP TABLE, ALTER TABLE, \
     INSERT, UPDATE, DELETE and TRUNCATE";

/// Parses exactly one statement.
pub fn parse(sql: &str) -> Result<Statement> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(error::parse)?;
    match (statements.pop(), statements.len()) {
        (Some(mut statement), 0) => {
            regroup(&mut statement);
            Ok(statement)
        }
        (None, _) => Err(Error::new(ErrorKind::Sql, "there is no statement")),
        (Some(_), more) => {
            let message = format!("{} statements where one was expected", more + 1);
            Err(Error::new(ErrorKind::Sql, message))
        }
    }
}

/// Parses a query: something with rows as its result.
pub fn parse_query(sql: &str) -> Result<Statement> {
    match parse(sql)? {
        query @ (Statement::Query(_) | Statement::Explain { .. }) => Ok(query),
        other => {
            let message = format!("{} is not a query", kind(&other));
            Err(Error::new(ErrorKind::Sql, message).help("use an `execute` step for it"))
        }
    }
}

/// Carries out a statement; the number of rows it touched, where that means something.
pub async fn execute(db: &Staging, statement: Statement) -> Result<Option<u64>> {
    match statement {
        query @ Statement::Query(_) => db.count_rows(query).await.map(Some),
        Statement::CreateTable(create) => create::table(db, create).await,
        // A namespace comes into being with its first table.
        Statement::CreateSchema { .. } => Ok(None),
        Statement::Drop {
            object_type: ObjectType::Table,
            if_exists,
            names,
            ..
        } => {
            for name in &names {
                drop_table(db, &TableId::of_sql(name)?, if_exists).await?;
            }
            Ok(None)
        }
        Statement::Truncate(truncate) => {
            for target in &truncate.table_names {
                let id = TableId::of_sql(&target.name)?;
                modify::truncate(db, &id, truncate.if_exists).await?;
            }
            Ok(None)
        }
        Statement::AlterTable(alter) => alter::table(db, alter).await,
        Statement::Insert(insert) => insert::rows(db, insert).await.map(Some),
        Statement::Update(update) => modify::update(db, update).await.map(Some),
        Statement::Delete(delete) => modify::delete(db, delete).await.map(Some),
        Statement::StartTransaction { .. } | Statement::Commit { .. } | Statement::Rollback { .. } => {
            let message = "the staging database has no transactions";
            Err(Error::new(ErrorKind::Sql, message).help("each statement is atomic by itself"))
        }
        other => Err(unsupported(&kind(&other))),
    }
}

async fn drop_table(db: &Staging, id: &TableId, if_exists: bool) -> Result<()> {
    let lock = db.tables.lock(id).await;
    match db.tables.open(id).await? {
        Some(_) => db.tables.remove(id, &lock).await,
        None if if_exists => Ok(()),
        None => Err(db.tables.missing(id).await),
    }
}

/// Returns the error for what this database does not do.
pub fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Sql,
        format!("{what} is not supported by the staging database"),
    )
    .help(SUPPORTED)
}

/// A statement's kind: its first words in capitals.
fn kind(statement: &Statement) -> String {
    let text = statement.to_string();
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default().to_uppercase();
    let second = words.next().filter(|_| {
        matches!(
            first.as_str(),
            "CREATE" | "DROP" | "ALTER" | "COMMENT" | "COPY" | "SHOW"
        )
    });
    match second.filter(|w| w.chars().all(|c| c.is_ascii_alphabetic())) {
        Some(second) if first != "COPY" => format!("{first} {}", second.to_uppercase()),
        _ => first,
    }
}
