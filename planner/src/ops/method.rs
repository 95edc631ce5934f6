//! The method of a request.

use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean, nearest};
use crate::span::Place;

/// Any token is a method (RFC 9110, section 9.1); one that is nearly a known one is a slip.
pub fn check_method(method: &str, place: &Place, d: &mut Diagnostics) {
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    let upper = method.trim().to_uppercase();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if upper.is_empty() || !upper.chars().all(token) {
        d.error(
            Code::BadValue,
            place.clone(),
            format!("`{method}` is not an HTTP method"),
        )
        .maybe_help(did_you_mean(method, "methods", methods));
    } else if !methods.contains(&upper.as_str())
        && let Some(near) = nearest(&upper, methods)
    {
        d.warning(
            Code::BadValue,
            place.clone(),
            format!("`{method}` is sent as it is: it is none of the common HTTP methods"),
        )
        .help(format!("did you mean `{near}`?"));
    }
}
