//! Errors of DataFusion and Delta as errors of the engine.

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use deltalake_core::DeltaTableError;
use sqlparser::parser::ParserError;

use super::near;
use crate::error::{Error, ErrorKind};

/// Returns an error of planning or running a statement.
pub fn sql(error: DataFusionError) -> Error {
    match root(&error) {
        Root::Ours(error) => error.clone(),
        Root::Schema(SchemaError::FieldNotFound { field, valid_fields }) => {
            let name = match &field.relation {
                Some(relation) => format!("{}.{}", relation.table(), field.name),
                None => field.name.clone(),
            };
            let valid: Vec<String> = valid_fields.iter().map(|c| c.name.clone()).collect();
            let error = Error::new(ErrorKind::Sql, format!("column `{name}` does not exist"));
            match near::help("columns", &field.name, &valid) {
                Some(help) => error.help(help),
                None => error,
            }
        }
        Root::Schema(SchemaError::AmbiguousReference { field }) => {
            let message = format!("column `{}` is ambiguous", field.name);
            Error::new(ErrorKind::Sql, message).help("put the table's name or alias in front of it")
        }
        Root::DataFusion(DataFusionError::NotImplemented(message))
            if message.contains("InSubquery") || message.contains("Exists(") =>
        {
            let message = "IN or EXISTS with a subquery is not supported in this place";
            Error::new(ErrorKind::Sql, message)
                .help("it works in WHERE; in the SELECT list use a join, or `(select count(*) ...) > 0`")
        }
        Root::DataFusion(error @ DataFusionError::ResourcesExhausted(_)) => {
            Error::new(ErrorKind::Sql, clean(&error.strip_backtrace()))
                .help("SEQUOR_MEMORY says how much memory queries may take: SEQUOR_MEMORY=8GB")
        }
        Root::DataFusion(error) => Error::new(ErrorKind::Sql, clean(&error.strip_backtrace())),
        Root::Arrow(
            error @ (ArrowError::CastError(_) | ArrowError::ParseError(_) | ArrowError::DivideByZero),
        ) => Error::new(ErrorKind::Value, clean(&error.to_string())),
        Root::Arrow(error) => Error::new(ErrorKind::Sql, clean(&error.to_string())),
        Root::Schema(error) => Error::new(ErrorKind::Sql, clean(&error.to_string())),
    }
}

/// SQL that can't be parsed.
pub fn parse(error: ParserError) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => "it is nested too deeply".to_string(),
    };
    Error::new(ErrorKind::Sql, format!("SQL syntax: {message}"))
}

/// Returns an error of the tables' storage.
pub fn delta(error: DeltaTableError) -> Error {
    match error {
        DeltaTableError::ObjectStore { .. } | DeltaTableError::Io { .. } => {
            Error::new(ErrorKind::Io, clean(&error.to_string()))
        }
        other => Error::new(ErrorKind::Sql, clean(&other.to_string())),
    }
}

enum Root<'a> {
    Ours(&'a Error),
    Schema(&'a SchemaError),
    Arrow(&'a ArrowError),
    DataFusion(&'a DataFusionError),
}

/// The error that caused the others, through all the wrapping.
fn root(error: &DataFusionError) -> Root<'_> {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(all) => match all.first() {
            Some(first) => root(first),
            None => Root::DataFusion(error),
        },
        DataFusionError::SchemaError(inner, _) => Root::Schema(inner),
        DataFusionError::ArrowError(inner, _) => arrow(inner),
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => Root::Ours(ours),
            None => match inner.downcast_ref::<DataFusionError>() {
                Some(inner) => root(inner),
                None => Root::DataFusion(error),
            },
        },
        _ => Root::DataFusion(error),
    }
}

fn arrow(error: &ArrowError) -> Root<'_> {
    if let ArrowError::ExternalError(inner) = error {
        if let Some(inner) = inner.downcast_ref::<DataFusionError>() {
            return root(inner);
        }
        if let Some(ours) = inner.downcast_ref::<Error>() {
            return Root::Ours(ours);
        }
    }
    Root::Arrow(error)
}

/// A message without the words about which part of the program it comes from.
fn clean(message: &str) -> String {
    const CHAINS: &[&str] = &[
        "Error during planning: ",
        "Execution error: ",
        "This feature is not implemented: ",
        "Arrow error: ",
        "Cast error: ",
        "External error: ",
        "Generic DeltaTable error: ",
        "Generic error: ",
        "Invalid argument error: ",
        "Compute error: ",
        "Parser error: ",
    ];
    let mut message = message.trim();
    while let Some(rest) = CHAINS.iter().find_map(|c| message.strip_prefix(c)) {
        message = rest.trim_start();
    }
    // What follows asks the reader to report a bug to DataFusion.
    let end = message
        .find("\nThis issue was likely caused by a bug")
        .or_else(|| message.find(".\nThis issue was likely"))
        .unwrap_or(message.len());
    message[..end].trim().to_string()
}
