//! Values of rows in the path of a url get the filter that keeps them inside it.

use super::{PassContext, SelectError};
use crate::plan::{Action, Plan};

/// Encodes them in each request that is made per row.
pub fn encode(plan: &mut Plan, _: &PassContext<'_>) -> Result<(), SelectError> {
    plan.root.each_mut(&mut |step| {
        if let Action::Http(http) = &mut step.action
            && let Some(rows) = &http.request.for_each
        {
            let request = &mut http.request.request;
            request.url.keep_in_path(&rows.variable);
            if let Some(parameters) = &mut request.path_parameters {
                parameters.require_values(&rows.variable);
            }
        }
    });
    Ok(())
}
