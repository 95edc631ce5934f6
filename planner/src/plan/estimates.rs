//! What a request would do if it ran now, as far as databases were looked at.

use serde::{Deserialize, Serialize};

use super::asks::{AsksFor, ChangeCounts};

/// What a step with a request would do if it ran now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimates {
    /// How many requests there will be, when the rows were counted; with paging, how many at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_requests: Option<u64>,
    /// What an incremental request would ask for now, when its state was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_ranges: Option<AsksFor>,
    /// How many rows have changed since they were sent, when that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_changes: Option<ChangeCounts>,
    /// How many rows stay as another request has sent them, when that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_by_another: Option<u64>,
    /// How many rows may have been sent, are not sent twice, and let the step fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_in_doubt: Option<u64>,
    /// How many rows another run is sending, or was when it ended: what it has sent of them is noted before anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_under_way: Option<u64>,
    /// Why the step would fail before it sends what has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_fail: Option<String>,
    /// Why something was not counted, or looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_estimated: Option<String>,
}

impl Estimates {
    /// The names of these in a plan that is JSON.
    pub const KEYS: [&str; 8] = [
        "estimated_requests",
        "estimated_ranges",
        "estimated_changes",
        "sent_by_another",
        "rows_in_doubt",
        "rows_under_way",
        "would_fail",
        "not_estimated",
    ];

    /// Returns them as notes. `has_pages`: whether a response may ask for another request.
    pub fn in_words(&self, has_pages: bool) -> Vec<String> {
        let mut notes: Vec<String> = self.estimated_ranges.iter().flat_map(AsksFor::in_words).collect();
        if let Some(counts) = &self.estimated_changes {
            notes.push(format!("estimate: {}", counts.in_words()));
        }
        notes.extend(self.sent_by_another.map(|rows| {
            let them = if rows == 1 { "it" } else { "them" };
            format!(
                "{} sent by another request than this one: run --resend sends {them} again",
                were(rows)
            )
        }));
        notes.extend(self.rows_under_way.map(|rows| {
            format!(
                "estimate: {} being sent by a run that is under way, or ended early: what it did of them is noted first, and not in these numbers",
                were(rows)
            )
        }));
        notes.extend(self.rows_in_doubt.map(|rows| {
            let them = if rows == 1 { "it is" } else { "they are" };
            format!(
                "estimate: {} sent, or not, which nobody knows: {them} not sent again, and the step fails until run --in-doubt says what to do",
                were(rows)
            )
        }));
        notes.extend(
            self.would_fail
                .iter()
                .map(|why| format!("estimate: it would fail: {why}")),
        );
        let unknown = self.not_estimated.iter();
        notes.extend(unknown.map(|why| format!("estimate: not known before it runs: {why}")));
        if let Some(requests) = self.estimated_requests {
            let least = if has_pages { "at least" } else { "about" };
            let noun = if requests == 1 { "request" } else { "requests" };
            notes.push(format!("estimate: {least} {requests} {noun}"));
        }
        notes
    }
}

fn were(rows: u64) -> String {
    match rows {
        1 => "1 row was".to_string(),
        n => format!("{n} rows were"),
    }
}

#[cfg(test)]
mod tests {
    use super::{AsksFor, ChangeCounts, Estimates};

    #[test]
    fn the_keys_are_those_of_the_json() {
        let all = Estimates {
            estimated_requests: Some(1),
            estimated_ranges: Some(AsksFor::default()),
            estimated_changes: Some(ChangeCounts::default()),
            sent_by_another: Some(1),
            rows_in_doubt: Some(1),
            rows_under_way: Some(1),
            would_fail: Some("so".into()),
            not_estimated: Some("so".into()),
        };
        let json = serde_json::to_value(all).unwrap_or_default();
        let mut keys: Vec<&str> = json
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .collect();
        let mut known = Estimates::KEYS;
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(keys, known);
    }
}
