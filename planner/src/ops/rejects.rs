//! Where rows go whose request failed for good.

use super::common::OnError;
use super::rules::{Rule, RuleAction};
use super::{HttpRequest, RowSource, TableRef};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::name_limit::NameLimit;
use crate::syntax::{Keys, MostRows};

/// What every database keeps of a name: PostgreSQL keeps the least.
const LONGEST: NameLimit = NameLimit::Bytes(63);

/// The table of a step's rejects. A name of a step may hold what no name of a table does, and be longer.
fn table_of(step: &str) -> String {
    let plain = step.chars().map(|c| if c.is_alphanumeric() { c } else { '_' });
    let name = format!("{}_rejects", plain.collect::<String>());
    LONGEST.shortened(&name).unwrap_or(name)
}

/// Reads how many rows may be rejected.
pub(super) fn read_max_rejects(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<MostRows> {
    let most = keys.most_rows("max_rejects", d)?;
    if !keys.has("for_each") {
        let place = keys.place_of("max_rejects").cloned();
        let message = "`max_rejects` counts rows: it belongs to an http_request with `for_each`";
        d.error(Code::BadValue, place, message)
            .help("leave it out, or add a `for_each`");
    }
    Some(most)
}

impl HttpRequest {
    /// Returns where rows go whose request failed for good: a table beside the one they come from, named after the
    /// step.
    pub fn rejects(&self, on_error: OnError, step: &str) -> Option<TableRef> {
        let rows = self.for_each.as_ref()?;
        let wanted = self.may_reject(on_error);
        let beside = match &rows.from {
            RowSource::Table(table) => table.clone(),
            RowSource::Query(query) => TableRef {
                source: query.source.clone(),
                database: None,
                namespace: None,
                table: Prop::Literal(step.into()),
                place: query.place.clone(),
            },
            // Refused: they are beside no table.
            RowSource::Values(_) => return None,
        };
        wanted.then(|| TableRef {
            table: Prop::Literal(table_of(step).into()),
            ..beside
        })
    }

    /// Tells whether rows may be rejected instead of failing the step.
    pub fn may_reject(&self, on_error: OnError) -> bool {
        let by_rule = |rule: &Rule| rule.action == RuleAction::Reject;
        matches!(on_error, OnError::Reject | OnError::Split) || self.response.rules.iter().any(by_rule)
    }
}
