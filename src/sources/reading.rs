//! Queries that only read, for databases that would run anything.

use sequor_planner::Dialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use arrow::array::AsArray;
use futures::StreamExt;

use super::database::Rows;
use crate::error::{Error, ErrorKind, Result};

/// Words that a query may begin with.
const READING: [&str; 11] = [
    "select",
    "with",
    "from",
    "values",
    "table",
    "show",
    "describe",
    "desc",
    "summarize",
    "explain",
    "pragma",
];

/// # Errors
/// What is not one query: what writes belongs into `execute`, where the plan sees it.
pub fn reads(sql: &str, dialect: Dialect) -> Result<()> {
    one(sql, dialect)?;
    match first_word(sql, dialect) {
        // What is no SQL at all the database tells best.
        None => Ok(()),
        Some(word) if READING.contains(&word.to_ascii_lowercase().as_str()) => Ok(()),
        Some(word) => Err(wrong(format!(
            "a query reads, and this one begins with {}",
            word.to_uppercase()
        ))),
    }
}

/// Tells whether a statement is a query and nothing else, by its first word: some databases begin such a one only when
/// its rows are asked for.
pub fn gives_rows(sql: &str) -> bool {
    let first = first_word(sql, Dialect::Generic).map(|word| word.to_ascii_lowercase());
    first.is_some_and(|word| ["select", "from", "values", "table", "call"].contains(&word.as_str()))
}

/// # Errors
/// Several statements, or none.
pub fn one(sql: &str, dialect: Dialect) -> Result<()> {
    match sequor_planner::split_statements(sql, dialect).len() {
        1 => Ok(()),
        count => Err(wrong(format!("a query is one statement, and these are {count}"))),
    }
}

/// Returns the texts of the one column of some rows.
pub async fn texts(rows: Rows) -> Result<Vec<Option<String>>> {
    let mut texts = Vec::new();
    let mut batches = rows.batches;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let column = batch.column(0).as_string_opt::<i32>().ok_or_else(|| {
            let message = format!("texts were asked for, and {} came", batch.column(0).data_type());
            Error::new(ErrorKind::Internal, message)
        })?;
        texts.extend(column.iter().map(|text| text.map(str::to_string)));
    }
    Ok(texts)
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Sql, message).help("use `execute` for statements that write")
}

/// The word that a statement begins with, behind comments and parentheses.
fn first_word(sql: &str, dialect: Dialect) -> Option<String> {
    let tokens = Tokenizer::new(&*dialect.parser(), sql).tokenize().ok()?;
    let first = tokens
        .into_iter()
        .find(|token| !matches!(token, Token::Whitespace(_) | Token::LParen));
    match first {
        Some(Token::Word(word)) => Some(word.value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_read() {
        for good in [
            "select 1",
            " (select 1) union select 2;",
            "FROM t",
            "-- a\nselect 1",
            "with a as (select 1) select * from a",
        ] {
            assert!(reads(good, Dialect::DuckDb).is_ok(), "{good}");
        }
        for bad in [
            "create table t(a int)",
            "select 1; select 2",
            "drop table t",
            "copy t to 'x'",
            "-- a comment\ndrop table t",
            "/* one */ (delete from t)",
            "insert into t values (1)",
        ] {
            assert!(reads(bad, Dialect::DuckDb).is_err(), "{bad}");
        }
    }
}
