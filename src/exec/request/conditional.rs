//! Requests that ask only for what has changed since the last run.

use crate::error::Result;
use crate::exec::load::table::table_name;
use crate::exec::marks::{Mark, mark_name};
use crate::exec::request::context::RequestContext;
use crate::http::{Request, Response};

/// Adds the mark of the last run to a request. The name its mark is kept under; none where the step does not ask so.
///
/// # Errors
/// State that can't be read, and a database that can't be asked.
pub async fn ask_for_changes(context: &RequestContext, request: &mut Request) -> Result<Option<String>> {
    if !context.http.request.request.conditional {
        return Ok(None);
    }
    let response = serde_json::to_string(&context.http.request.response);
    let step = format!(
        "{} {} {}",
        context.step.run.plan.flow,
        context.step.id(),
        response.unwrap_or_default()
    );
    let key = mark_name(&step, request);
    // What is not there any more has to come anew.
    for table in &context.http.request.response.tables {
        let name = table_name(&context.step, &table.target).await?;
        let database = context.step.database(&table.target.source).await?;
        if database.columns(&name).await?.is_none() {
            return Ok(Some(key));
        }
    }
    let Some(state) = &context.step.run.state else {
        return Ok(None);
    };
    let mark = state.mark(&key).await?;
    if let Some(mark) = mark.and_then(|text| serde_json::from_str::<Mark>(&text).ok()) {
        mark.apply(&mut request.headers);
    }
    Ok(Some(key))
}

/// Notes the mark of a response that was taken; it is kept when the step is done.
pub fn note(context: &RequestContext, key: Option<String>, response: &Response) {
    if let (Some(key), Some(mark)) = (key, Mark::of(response)) {
        context.outcome.note(key, mark);
    }
}
