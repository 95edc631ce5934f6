//! What a step that sends only changes would send if it ran now.

use sequor_planner::ops::RowSource;
use sequor_planner::plan::{ChangeCounts, HttpStep};
use sequor_planner::syntax::SourceKind;

use super::compile::Compiled;
use super::estimate::known;
use super::parts::Parts;
use crate::changes::{Of, Snapshot, Wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{request_digest, scope_of};

/// What a step would send.
pub struct Estimated {
    pub counts: ChangeCounts,
    /// Rows that another request has sent.
    pub by_another: u64,
}

/// Counts what a step would send.
///
/// # Errors
/// What only the run can tell; the databases'.
pub async fn estimated_changes(
    parts: &Parts,
    compiled: &Compiled,
    id: &str,
    http: &HttpStep,
) -> Result<Estimated> {
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
    let database = parts.databases.get(source, &parts.scope()).await?;
    let computed = || only_then("a name is computed");
    let from = match &rows.from {
        RowSource::Table(table) => database.quoted(&known(&*database, table).ok_or_else(computed)?),
        RowSource::Query(query) => {
            let sql = query
                .query
                .as_text()
                .ok_or_else(|| only_then("its query is computed"))?;
            let sql = sql
                .trim()
                .trim_end_matches(|c: char| c == ';' || c.is_whitespace());
            format!("({sql}\n) q")
        }
        RowSource::Values(_) => return Err(only_then("its rows come from no database")),
    };
    let table = known(&*database, &synced.snapshot).ok_or_else(computed)?;
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
    let all = snapshot.check_keys().await?;
    let (counts, by_another) = snapshot.estimate(&given.rows, given.baseline, all).await?;
    Ok(Estimated { counts, by_another })
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
