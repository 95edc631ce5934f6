//! What was checked, in words.

use super::paint;
use crate::event::{Check, CheckStatus};

/// Returns a check as a line, with what to do about it behind it.
pub fn check(check: &Check, color: bool) -> String {
    let (word, code) = match check.status {
        CheckStatus::Ok => ("ok", "1;32"),
        CheckStatus::Warning => ("warning", "1;33"),
        CheckStatus::Failed => ("failed", "1;31"),
    };
    let word = paint(&format!("{word:<8}"), code, color);
    let fix = check.fix.as_ref().map_or(String::new(), |fix| format!("; {fix}"));
    format!("{word} {}: {}{fix}", check.name, check.detail.replace('\n', " "))
}
