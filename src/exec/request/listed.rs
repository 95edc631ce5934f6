//! The rows of a page as the API gave them: counted before filters, rules and several tables.

use std::borrow::Cow;

use bytes::Bytes;
use sequor_planner::ops::{DataPath, RowFormat};

use std::sync::Arc;

use crate::batch::json::{self, Listed};
use crate::batch::jsonpath;
use crate::exchange::Response;
use crate::exec::request::context::RequestContext;
use crate::exec::request::response::rows_of;
use crate::http::{Page, Pages};

/// Returns the page that a response is. `taken`: how many rows were taken from it; `read`: what was counted on the way,
/// by the tables of the response.
pub fn page(
    context: &RequestContext,
    pages: &Pages,
    response: &Arc<Response>,
    taken: Option<u64>,
    read: &[Option<Listed>],
) -> Page {
    let given = &context.http.request.response;
    let text = response.utf8().unwrap_or(Cow::Borrowed(&response.body));
    let format = given.format.unwrap_or_else(|| response.row_format());
    let mut found: Vec<(DataPath, Listed)> = Vec::new();
    match pages.rows_path() {
        Some(path) => {
            let counted = match given
                .tables
                .iter()
                .position(|table| rows_of(table).as_deref() == Some(path))
            {
                Some(at) if !filters(path) => read.get(at).cloned().flatten(),
                _ => None,
            };
            found.extend(
                counted
                    .or_else(|| count(&text, path))
                    .map(|listed| (path.clone(), listed)),
            );
        }
        None => {
            for (at, table) in given.tables.iter().enumerate() {
                let Some(path) = rows_of(table) else { continue };
                let counted = read.get(at).and_then(Option::as_ref);
                let (path, listed) = as_given(&text, &path, counted, format);
                if let Some(listed) = listed
                    && !found.iter().any(|(other, _)| *other == path)
                {
                    found.push((path, listed));
                }
            }
        }
    }
    let in_body = matches!(text, Cow::Borrowed(_));
    let spans = found.iter().filter_map(|(_, listed)| listed.span.clone());
    let lists: Vec<Bytes> = match in_body {
        true => spans.map(|span| response.body.slice(span)).collect(),
        false => Vec::new(),
    };
    Page {
        rows: found.iter().map(|(_, listed)| listed.rows).max(),
        several: found.len() > 1,
        // All of them, or the body stands for them.
        lists: if lists.len() == found.len() {
            lists
        } else {
            Vec::new()
        },
        response: response.clone(),
        taken,
    }
}

/// The list that a table's rows are chosen from, and what it holds.
fn as_given(
    text: &[u8],
    path: &DataPath,
    counted: Option<&Listed>,
    format: RowFormat,
) -> (DataPath, Option<Listed>) {
    if let Some((steps, one)) = path.unfiltered()
        && format == RowFormat::Json
    {
        let listed = json::count(text, &steps);
        return match one {
            true => (DataPath::Steps(steps), listed),
            // What is filtered lies deeper: empty lists may stand above it.
            false => (path.clone(), listed.filter(|listed| listed.rows == 0)),
        };
    }
    let listed = counted.cloned().or_else(|| match format {
        RowFormat::Json => count(text, path),
        _ => None,
    });
    (path.clone(), listed)
}

fn filters(path: &DataPath) -> bool {
    path.unfiltered().is_some()
}

fn count(text: &[u8], path: &DataPath) -> Option<Listed> {
    match path {
        DataPath::Steps(steps) => json::count(text, steps),
        DataPath::JsonPath(path) => {
            let rows = jsonpath::find(text, path).ok()?.len() as u64;
            Some(Listed { rows, span: None })
        }
    }
}
