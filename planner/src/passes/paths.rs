//! Values of rows in the path of a url get the filter that keeps them inside it.

use super::{PassContext, SelectError};
use crate::ops::KEPT_RESPONSE;
use crate::plan::{Action, Plan};

/// Encodes them in each request that is made per row.
pub fn encode(plan: &mut Plan, _: &PassContext<'_>) -> Result<(), SelectError> {
    plan.root.each_mut(&mut |step| {
        if let Action::Http(http) = &mut step.action
            && let Some(rows) = &http.request.for_each
        {
            let request = &mut http.request.request;
            // What an API gave about the row is no safer than the row.
            let kept = rows.changes.as_ref().map(|_| KEPT_RESPONSE);
            for variable in [Some(rows.variable.as_str()), kept].into_iter().flatten() {
                request.url.keep_in_path(variable);
                if let Some(parameters) = &mut request.path_parameters {
                    parameters.require_values(variable);
                }
            }
        }
    });
    Ok(())
}
