//! How many rows may be rejected: a number, or a part of all.

use serde::{Deserialize, Serialize};

use super::Keys;
use super::tree::Scalar;
use crate::diagnostic::Diagnostics;

/// How many rows may be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxRejects {
    Rows(u64),
    /// Of a hundred rows.
    Percent(f64),
}

impl Keys<'_> {
    /// Returns how many rows may be rejected, known when planning.
    pub fn rejects(&self, name: &str, d: &mut Diagnostics) -> Option<MaxRejects> {
        let help = "a whole number from 0, or text like 5% or 0.1%";
        self.measured(
            name,
            "a number of rows or a part of them",
            help,
            d,
            |value| match value {
                Scalar::Number(n) => n.as_u64().map(MaxRejects::Rows),
                Scalar::Text { text, .. } => percent(text),
                _ => None,
            },
        )
    }
}

fn percent(text: &str) -> Option<MaxRejects> {
    let text = text.trim();
    match text.strip_suffix('%') {
        Some(number) => {
            let number: f64 = number.trim().parse().ok()?;
            (0.0..=100.0)
                .contains(&number)
                .then_some(MaxRejects::Percent(number))
        }
        None => text.parse().ok().map(MaxRejects::Rows),
    }
}
