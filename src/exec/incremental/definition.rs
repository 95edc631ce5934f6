//! What decides which rows a request gets: where it is another, what counts as covered is not what it would get.

use sequor_planner::ops::Order;
use sequor_planner::plan::HttpStep;
use serde_json::json;

use super::digest::{as_written, digest};

/// A digest of a request, as it is written.
pub struct Definition {
    pub text: String,
    /// The same without the order: rows that came in none are those that come in one.
    without_order: String,
}

impl Definition {
    /// Tells whether what was covered by another is covered by this one, too.
    pub fn is(&self, known: &str) -> bool {
        known == self.text || known == self.without_order
    }
}

/// Returns that of a step.
pub fn definition(http: &HttpStep) -> Definition {
    let request = &http.request.request;
    let given = request.incremental.as_ref();
    let tables = http.request.response.tables.iter();
    let mut text = json!({
        "source": request.source,
        "url": request.url,
        "method": request.method,
        "path_parameters": request.path_parameters,
        "parameters": request.parameters,
        "body": request.body,
        "cursor": given.map(|given| &given.cursor),
        "format": given.map(|given| &given.format),
        "start_param": given.map(|given| &given.start_param),
        "end_param": given.map(|given| &given.end_param),
        "rows": tables.map(|table| json!([table.data_path, table.listed, table.data])).collect::<Vec<_>>(),
    });
    let without_order = digest(&[&as_written(text.clone()).to_string()]);
    // Where the API does not keep the order, what counts as covered is not.
    let order = given
        .map(|given| given.order)
        .filter(|order| *order != Order::None);
    if let (Some(order), Some(entries)) = (order, text.as_object_mut()) {
        entries.insert("order".to_string(), json!(order));
    }
    Definition {
        text: digest(&[&as_written(text).to_string()]),
        without_order,
    }
}
