//! By which request the tables of a step were filled, as the project's state knows it: for `validate` and `plan`, which look at no
//! database.

use super::digest::digest;

/// Returns the name under which the state keeps the definition of a step's request.
pub fn request_mark(environment: Option<&str>, flow: &str, step: &str) -> String {
    let digest = digest(&[environment.unwrap_or_default(), flow, step]);
    format!("request {digest}")
}
