//! What a preview is asked for: requests and parsers without their effects.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::batch::builder::BatchBuilder;
use crate::batch::column::Column;
use crate::batch::spool::Spool;
use crate::batch::types::{BareDecimal, column_type};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Row;

/// What a run only shows.
#[derive(Default, Clone)]
pub struct Preview {
    /// Rows that take the place of those of a request's table.
    pub records: Option<Vec<Row>>,
    pub mode: Option<PreviewMode>,
}

/// What a preview shows. Nothing is written, and variables stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewMode {
    /// The request as it would go over the wire. It is not sent.
    Trace,
    /// The request in a form for people. It is not sent.
    Pretty,
    /// What the response's parser gives. The request is sent.
    Parser,
}

/// Rows from the text of a JSON object, or of a list of them.
pub fn records(text: &str) -> Result<Vec<Row>> {
    let wrong = |what: String| {
        Error::new(ErrorKind::Project, format!("the test record {what}"))
            .help("give a JSON object: '{\"email\": \"test@example.com\"}'")
    };
    let json: Json = serde_json::from_str(text).map_err(|e| wrong(format!("is not valid JSON: {e}")))?;
    let objects = match json {
        Json::Array(items) => items,
        object => vec![object],
    };
    if objects.is_empty() || objects.iter().any(|o| o.as_object().is_some_and(Map::is_empty)) {
        return Err(wrong("has no columns".into()));
    }
    let mut spool = Spool::default();
    for object in &objects {
        if !object.is_object() {
            return Err(wrong("must be an object, or a list of objects".into()));
        }
        spool.push(object.to_string().as_bytes())?;
    }
    let columns = spool.columns().map(|(name, sql)| {
        Ok(Column {
            name: name.to_string(),
            column_type: column_type(sql, BareDecimal::Exact)?,
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let keys = columns.iter().map(|c| c.name.clone()).collect();
    let mut builder = BatchBuilder::new("test record", keys, &columns)?;
    let mut rows = Vec::with_capacity(objects.len());
    let mut replay = spool.replay()?;
    loop {
        let more = replay.fill(&mut builder)?;
        if let Some(batch) = builder.take()? {
            let batch = Arc::new(batch);
            rows.extend((0..batch.num_rows()).map(|at| Row::new(batch.clone(), at)));
        }
        if !more {
            return Ok(rows);
        }
    }
}
