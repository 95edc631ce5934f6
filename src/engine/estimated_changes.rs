//! What a step that sends only changes would send if it ran now.

use sequor_planner::plan::{Estimates, HttpStep};
use sequor_planner::syntax::SourceKind;

use super::changed_requests::with_state;
use super::compile::Compiled;
use super::for_each_rows::{ForEachRows, for_each_rows, known};
use super::parts::Parts;
use crate::changes::{Of, Snapshot, Wanted, guard};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{baseline_mark, request_digest, scope_of};

/// Fills in what a step would send.
pub async fn estimate_changes(
    parts: &Parts,
    compiled: &Compiled,
    (id, http): (&str, &HttpStep),
    found: &mut Estimates,
) {
    if let Err(why) = try_estimate(parts, compiled, (id, http), found).await {
        found.not_estimated = Some(why.to_string());
    }
}

/// # Errors
/// What only the run can tell; the databases'.
async fn try_estimate(
    parts: &Parts,
    compiled: &Compiled,
    (id, http): (&str, &HttpStep),
    found: &mut Estimates,
) -> Result<()> {
    let only_then = |why: &str| Error::new(ErrorKind::Project, why);
    let (Some(synced), Some(rows)) = (&http.synced, &http.request.for_each) else {
        return Err(only_then("it sends all rows"));
    };
    let (Some(given), Some((source, _))) = (&rows.changes, rows.database()) else {
        return Err(only_then("its rows come from no database"));
    };
    if synced.snapshot.source != source {
        return Err(only_then("what was sent is in another database than the rows"));
    }
    let ForEachRows { database, from, name } = for_each_rows(parts, rows).await?;
    let table = known(&*database, &synced.snapshot).ok_or_else(|| only_then("a name is computed"))?;
    let of = Of {
        rows: from,
        wanted: Wanted {
            key: &given.key,
            kept: http.row_columns.as_ref(),
            compared: synced.columns.as_ref(),
        },
        scope: scope_of(compiled.names(), &compiled.plan.flow, id),
        definition: definition(parts, compiled, http).await,
    };
    let snapshot = Snapshot::of(database, table, of).await?;
    let was_taken = given.baseline && was_taken(compiled, id).await?;
    let all = match snapshot.check_keys().await {
        Ok(all) => all,
        Err(error) if error.kind() == ErrorKind::Data => {
            found.would_fail = Some(error.to_string());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let estimate = snapshot
        .estimate(&given.rows, (given.baseline, was_taken), all)
        .await?;
    let (counts, sent) = (estimate.counts, estimate.sent);
    let some = |rows: u64| Some(rows).filter(|rows| *rows > 0);
    found.estimated_changes = Some(counts);
    found.sent_by_another = some(sent.by_others);
    found.rows_in_doubt = some(sent.in_doubt);
    found.rows_under_way = some(estimate.under_way);
    let guarded = guard(given.max_removed, (all, &sent), &counts, &name);
    found.would_fail = guarded.err().map(|error| error.to_string());
    Ok(())
}

/// Whether a run before was the first that took all rows for sent.
async fn was_taken(compiled: &Compiled, id: &str) -> Result<bool> {
    let loaded = &compiled.loaded;
    if !loaded.has_state() {
        return Ok(false);
    }
    let mark = baseline_mark(&scope_of(compiled.names(), &compiled.plan.flow, id));
    with_state(loaded, async |state| Ok(state.mark(&mark).await?.is_some())).await
}

/// A digest of what the request is now.
async fn definition(parts: &Parts, compiled: &Compiled, http: &HttpStep) -> String {
    let source = http.request.request.source.as_ref();
    let source = source.and_then(|name| compiled.loaded.compiler.sources.get(name));
    let prop = source.and_then(|source| match &source.kind {
        SourceKind::Http(http) => http.base_url.as_ref(),
        SourceKind::Database(_) => None,
    });
    let base_url = match prop {
        None => None,
        Some(prop) => Some((prop, parts.value(prop).await)),
    };
    request_digest(http, base_url)
}
