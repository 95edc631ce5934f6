//! How many rows something may befall: a number, or a part of all.

use serde::{Deserialize, Serialize};

use super::Keys;
use super::tree::Scalar;
use crate::diagnostic::Diagnostics;

/// How many rows something may befall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MostRows {
    Rows(u64),
    /// Of a hundred rows.
    Percent(f64),
}

impl Keys<'_> {
    /// Returns a number of rows or a part of them, known when planning.
    pub fn most_rows(&self, name: &str, d: &mut Diagnostics) -> Option<MostRows> {
        let help = "a whole number from 0, or text like 5% or 0.1%";
        self.measured(
            name,
            "a number of rows or a part of them",
            help,
            d,
            |value| match value {
                Scalar::Number(n) => n.as_u64().map(MostRows::Rows),
                Scalar::Text { text, .. } => percent(text),
                _ => None,
            },
        )
    }
}

fn percent(text: &str) -> Option<MostRows> {
    let text = text.trim();
    match text.strip_suffix('%') {
        Some(number) => {
            let number: f64 = number.trim().parse().ok()?;
            (0.0..=100.0)
                .contains(&number)
                .then_some(MostRows::Percent(number))
        }
        None => text.parse().ok().map(MostRows::Rows),
    }
}
