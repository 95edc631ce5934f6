//! `sequor schema`.

use sequor_planner::SchemaOf;

use super::args::SchemaFile;
use crate::error::{Error, ErrorKind, Exit, Result};

/// Prints the JSON Schema of a kind of file.
pub fn schema(file: SchemaFile) -> Result<Exit> {
    let schema = sequor_planner::schema(match file {
        SchemaFile::Any => SchemaOf::Any,
        SchemaFile::Flow => SchemaOf::Flow,
        SchemaFile::Source => SchemaOf::Source,
        SchemaFile::Project => SchemaOf::Project,
        SchemaFile::Env => SchemaOf::DefaultEnv,
        SchemaFile::Environment => SchemaOf::Environment,
        SchemaFile::Tests => SchemaOf::Tests,
    });
    let text = serde_json::to_string_pretty(&schema);
    crate::report::out(text.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
    Ok(Exit::Done)
}
