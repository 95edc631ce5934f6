//! What a `for_each` goes through, fixed before its first row: a copy is made, or the one that an earlier attempt made is read.

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use indexmap::IndexMap;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::load::rows::Found;
use crate::state::{Frozen, RunFiles};
use crate::value::{Value, kept};

/// What is gone through.
pub enum Given {
    /// Rows, and what messages call them.
    Rows(String, BoxStream<'static, Result<RecordBatch>>),
    Values(Vec<Value>),
}

impl From<Found> for Given {
    fn from(found: Found) -> Given {
        match found {
            Found::Rows(name, rows) => Given::Rows(name, rows.batches),
            Found::Values(values) => Given::Values(values),
        }
    }
}

/// Returns the rows of a step, fixed. `find` looks for them where no earlier attempt did. `key`: the step's name in the journal;
/// `is_fresh`: whether earlier attempts did nothing for any of them.
///
/// # Errors
/// What `find` fails with; a copy that can't be made or read, or is gone though it was used.
pub async fn rows(
    files: &RunFiles,
    key: &str,
    is_fresh: bool,
    find: impl Future<Output = Result<Found>>,
) -> Result<Given> {
    if let Some(frozen) = Frozen::found(files, key).await? {
        return Ok(Given::Rows(frozen.name.clone(), frozen.batches()));
    }
    if let Some(text) = Frozen::text(files, key).await? {
        return values_of(&text).map(Given::Values);
    }
    if !is_fresh {
        let message = "the copy of its rows is gone: which of them were done is not known";
        return Err(Error::new(ErrorKind::Resume, message).help("start anew: sequor run FLOW"));
    }
    match find.await? {
        Found::Rows(name, rows) => {
            let frozen = Frozen::of(files, key, &name, rows.schema, rows.batches).await?;
            Ok(Given::Rows(name, frozen.batches()))
        }
        Found::Values(values) => {
            let all = IndexMap::from([("values".to_string(), Value::list(values.clone()))]);
            // What can't be kept is evaluated again by the next attempt.
            if let Ok(text) = kept::write(&all) {
                Frozen::keep_text(files, key, &text).await?;
            }
            Ok(Given::Values(values))
        }
    }
}

fn values_of(text: &str) -> Result<Vec<Value>> {
    let wrong = |why: String| {
        Error::new(
            ErrorKind::State,
            format!("values that are kept can't be read: {why}"),
        )
    };
    let all = kept::read("the state", text).map_err(wrong)?;
    match all.into_values().next() {
        Some(Value::List(values)) => Ok(values.to_vec()),
        _ => Err(wrong("they are no list".into())),
    }
}
