//! A step that sends only what has changed, when it begins: what an earlier attempt has sent is known first, and then what is to
//! be sent.

use chrono::{SecondsFormat, Utc};
use sequor_planner::expr::Prop;
use sequor_planner::ops::{CHANGES_IN_LOOP, Changes, RowSource, RowsOf, WriteMode};
use sequor_planner::plan::{HttpStep, Synced};
use serde_json::json;
use uuid::Uuid;

use super::pass::Pass;
use crate::changes::{Comparing, Left, Of, Sending, Snapshot, Wanted, beside, guard};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, count};
use crate::exec::context::StepContext;
use crate::exec::incremental::{as_written, digest};
use crate::exec::load::ready::load;
use crate::exec::load::rows::{Found, found};
use crate::exec::load::table::{relation, table_name};
use crate::exec::run::InDoubt;
use crate::exec::tables::{Relation, fits};
use crate::sources::database::TableName;
use crate::sources::sql::as_rows;
use crate::value::Value;

/// A step that sends only what has changed.
pub struct Changed<'s> {
    step: &'s StepContext,
    given: &'s Changes,
    /// How many rows a request has.
    batch: Option<u64>,
    snapshot: Snapshot,
    scope: String,
    /// What messages call the rows.
    name: String,
    /// A copy of the rows beside the snapshot, where they are in another database.
    copy: Option<(String, TableName)>,
}

/// What the sending of a step's rows is called, where it is kept what becomes of them.
pub const SENDING: &str = "sending";

/// Returns what tells a step's rows in a snapshot from those of others.
pub fn scope_of((project, environment): (&str, Option<&str>), flow: &str, step: &str) -> String {
    short(digest(&[project, environment.unwrap_or_default(), flow, step]))
}

/// The name under which it is noted that a step's first run took all rows for sent.
pub fn baseline_mark(scope: &str) -> String {
    format!("baseline {scope}")
}

/// The beginning of a digest: it stands in each row of a snapshot.
fn short(mut digest: String) -> String {
    digest.truncate(16);
    digest
}

/// Returns the snapshot of a step; none where it sends all rows. `rows`: what stands behind
/// FROM for them.
///
/// # Errors
/// The databases'; columns that are not there.
async fn snapshot_of(
    step: &StepContext,
    http: &HttpStep,
    (rows, scope): (String, String),
) -> Result<Option<Snapshot>> {
    let Some((rows_of, changes, synced)) = parts(http) else {
        return Ok(None);
    };
    let database = step.database(&synced.snapshot.source).await?;
    let table = table_name(step, &synced.snapshot).await?;
    // The longest of the names that are made.
    fits(
        &*database,
        "table",
        &beside(&*database, &table, "pending", &scope).table,
    )
    .map_err(|e| e.at(&changes.place))?;
    let of = Of {
        rows,
        wanted: Wanted {
            key: &changes.key,
            kept: http.row_columns.as_ref(),
            compared: synced.columns.as_ref(),
        },
        scope,
        definition: definition(step, http).await?,
    };
    let snapshot = Snapshot::of(database, table, of).await;
    let place = rows_of.database().map_or(&changes.place, |(_, place)| place);
    Ok(Some(snapshot.map_err(|e| e.at(place))?))
}

fn parts(http: &HttpStep) -> Option<(&RowsOf, &Changes, &Synced)> {
    let rows = http.request.for_each.as_ref()?;
    Some((rows, rows.changes.as_ref()?, http.synced.as_ref()?))
}

impl<'s> Changed<'s> {
    /// Begins the step; none where it sends all rows.
    ///
    /// # Errors
    /// The databases'; columns that are not there.
    pub async fn begin(step: &'s StepContext, http: &'s HttpStep) -> Result<Option<Changed<'s>>> {
        let Some((rows, given, synced)) = parts(http) else {
            return Ok(None);
        };
        if step.scope.is_in_round() {
            // The flow was not known before it was called.
            let (message, help) = CHANGES_IN_LOOP;
            return Err(Error::new(ErrorKind::Project, message)
                .help(help)
                .at(&given.place));
        }
        if step.run.apis.replays() && step.run.dry.is_none() {
            let message = "answers from a recording: what is sent by `changes` would count as sent, and the API would not have it";
            return Err(Error::new(ErrorKind::Project, message)
                .help("look at it by --dry-run --replay")
                .at(&given.place));
        }
        let (source, place) = match rows.database() {
            Some((source, place)) => (source, place),
            None => return Ok(None),
        };
        let (mut from, name) = match &rows.from {
            RowSource::Table(table) => match relation(step, table).await? {
                Relation::Table(table) => (step.database(source).await?.quoted(&table), table.to_string()),
                Relation::Sql(sql) => (format!("({sql}) q"), "the query".to_string()),
            },
            RowSource::Query(query) => {
                let sql = step.value(&query.query).await?.to_text();
                (as_rows(&sql), "the query".to_string())
            }
            RowSource::Values(_) => return Ok(None),
        };
        let run = &step.run;
        let project = (run.plan.project.as_str(), run.environment.as_deref());
        let scope = scope_of(project, &run.plan.flow, step.id());
        let mut copy = None;
        if synced.snapshot.source != source {
            let target = step.database(&synced.snapshot.source).await?;
            let table = beside(
                &*target,
                &table_name(step, &synced.snapshot).await?,
                "rows",
                &scope,
            );
            let Found::Rows(_, rows) = found(step, rows, http.row_columns.as_ref()).await? else {
                return Ok(None);
            };
            load(&*target, &table, &WriteMode::Replace, rows)
                .await
                .map_err(|e| e.at(place))?;
            from = target.quoted(&table);
            copy = Some((synced.snapshot.source.clone(), table));
        }
        let Some(snapshot) = snapshot_of(step, http, (from, scope.clone())).await? else {
            return Ok(None);
        };
        Ok(Some(Changed {
            step,
            given,
            batch: rows.batch_size,
            snapshot,
            scope,
            name,
            copy,
        }))
    }

    /// Returns what an earlier attempt was sending when it ended, where something is kept of that.
    ///
    /// # Errors
    /// The database's.
    pub async fn unfinished(&self) -> Result<Option<Pass>> {
        let Some(files) = &self.step.run.files else {
            return Ok(None);
        };
        let Some(left) = self.snapshot.left().await? else {
            return Ok(None);
        };
        self.snapshot.check_kept_key().await?;
        let what = (self.scope.clone(), self.given.keep_response.clone());
        let files = files.of_sending(left.id);
        Ok(Some(Pass::new(left, Some(files), true, what)))
    }

    /// Sees to it that each row has a key of its own. How many rows there are.
    ///
    /// # Errors
    /// A key that is none, or that several rows have; the database's.
    pub async fn check_keys(&self) -> Result<u64> {
        let checked = self.snapshot.check_keys().await;
        checked.map_err(|e| e.context(format!("`{}`", self.name)).at(&self.given.place))
    }

    /// Finds what is to be sent, and tells how many rows that is. With it comes how many rows are in doubt, and are not sent.
    ///
    /// # Errors
    /// The database's; keys that are none; more rows that are gone than may be.
    pub async fn compare(&self) -> Result<(Pass, u64)> {
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let place = &self.given.place;
        let all = self.check_keys().await?;
        let was_there = self.snapshot.is_there().await?;
        self.snapshot.make().await?;
        let run = &self.step.run;
        if run.in_doubt == InDoubt::Skip {
            self.snapshot.settle_doubts(false).await?;
        }
        let mut sent = self.snapshot.sent().await.map_err(|e| e.at(place))?;
        if sent.is_of_another_key || (was_there && sent.is_empty) {
            self.snapshot.make_anew().await?;
        }
        self.snapshot.follow_keys().await?;
        let is_baseline = self.is_baseline(was_there).await? && self.snapshot.take_for_sent(&at).await?;
        self.note_baseline().await?;
        if is_baseline {
            sent = self.snapshot.sent().await.map_err(|e| e.at(place))?;
        }
        let sending = Sending {
            changes: self.given.rows.clone(),
            full: run.resends.full,
            resend: run.resends.others,
            in_doubt: run.resends.others || run.in_doubt == InDoubt::Send || run.retries_rejected,
        };
        let id = Uuid::now_v7();
        let comparing = Comparing {
            sending: &sending,
            id,
            at: &at,
            batch: self.batch,
        };
        let files = run.files.as_ref().map(|files| files.of_sending(id));
        if let Some(files) = &files {
            // Before there is anything to be sent: where it is missing then, it was lost.
            files.begin(SENDING).await?;
        }
        let left = Left {
            snapshot: self.snapshot.clone(),
            id,
            batch: self.batch,
        };
        let what = (self.scope.clone(), self.given.keep_response.clone());
        let pass = Pass::new(left, files, false, what);
        let counts = self.snapshot.compare(&comparing, (all, &sent)).await;
        let counts = counts.map_err(|e| e.at(place))?;
        let is_all = counts.removed > 0 && counts.removed >= sent.rows - sent.in_doubt.min(sent.rows);
        let all = match is_all {
            // They may be gone since they were counted.
            true => self.check_keys().await?,
            false => all,
        };
        if let Err(error) = guard(self.given.max_removed, (all, &sent), &counts, &self.name) {
            self.drop(&pass).await?;
            return Err(error.at(place));
        }
        if sending.in_doubt && sent.in_doubt > 0 {
            // One that is refused now is no longer in doubt.
            self.snapshot.settle_doubts(true).await?;
        }
        if sending.full || sending.resend {
            // A row that is not sent now comes with the next run.
            self.snapshot.sent_are_old(&sending).await?;
        }
        self.step.emit(EventKind::Changes { counts }).await;
        if is_baseline && counts.sent() == 0 {
            let text = format!(
                "{}: {} count as sent (`baseline`), and none is sent",
                self.step.id(),
                count(all, "row")
            );
            self.step.warn(text).await;
        }
        let by_others = match sending.full || sending.resend {
            true => 0,
            false => self.snapshot.left_by_others(&sent).await?,
        };
        if by_others > 0 {
            let text = format!(
                "{}: {} {} sent by another request than this one: `sequor run {} --resend` sends them again",
                self.step.id(),
                count(by_others, "row"),
                if by_others == 1 { "was" } else { "were" },
                run.plan.flow
            );
            self.step.warn(text).await;
        }
        let doubts = if sending.in_doubt { 0 } else { sent.in_doubt };
        Ok((pass, doubts))
    }

    /// Tells whether all rows count as sent, if the step has sent none: in its first run, whatever that found. `was_there`:
    /// whether the snapshot was.
    async fn is_baseline(&self, was_there: bool) -> Result<bool> {
        match (&self.step.run.state, self.given.baseline && was_there) {
            (Some(state), true) => Ok(state.mark(&baseline_mark(&self.scope)).await?.is_none()),
            _ => Ok(self.given.baseline),
        }
    }

    /// Notes that the first run is over that took all rows for sent.
    async fn note_baseline(&self) -> Result<()> {
        let run = &self.step.run;
        match &run.state {
            Some(state) if self.given.baseline && run.dry.is_none() => {
                state.keep_mark(&baseline_mark(&self.scope), "taken").await
            }
            _ => Ok(()),
        }
    }

    /// Forgets what was being sent.
    ///
    /// # Errors
    /// The database's; a state that can't be written.
    pub async fn end(&self, pass: &Pass) -> Result<()> {
        // What is to be sent again first stays as it was sent.
        if !pass.has_unclear() {
            self.drop(pass).await?;
        }
        self.drop_copy().await
    }

    /// Forgets what was being sent, and what became of it.
    ///
    /// # Errors
    /// The database's; a state that can't be written.
    pub async fn drop(&self, pass: &Pass) -> Result<()> {
        if self.snapshot.is_pending_of(pass.id).await? {
            // In this order: rows that are being sent without what became of them are taken for ones whose state was lost.
            self.snapshot.drop_pending().await?;
        }
        pass.forget().await
    }

    /// Ends a sending that failed, when nothing of it is under way any more: the snapshot knows how each row ended, whatever becomes
    /// of the state. `keeps`: whether answers are kept that are not in their tables yet.
    ///
    /// # Errors
    /// The database's; a state that can't be written.
    pub async fn give_up(&self, pass: &Pass, keeps: bool) -> Result<()> {
        self.drop_copy().await?;
        if !(pass.has_unclear() || keeps) {
            return self.drop(pass).await;
        }
        // What was begun is taken up by the next run; the rest was not sent, and is compared anew.
        match self.snapshot.is_pending_of(pass.id).await? {
            true => self.snapshot.drop_pending_from(pass.begun()).await,
            false => Ok(()),
        }
    }

    async fn drop_copy(&self) -> Result<()> {
        let Some((source, table)) = &self.copy else {
            return Ok(());
        };
        let database = self.step.database(source).await?;
        let drop = format!("DROP TABLE {}", database.quoted(table));
        database.execute(&drop).await.map(|_| ())
    }

    /// # Errors
    /// Rows that may have been sent, and must not be sent twice.
    pub async fn none_in_doubt(&self, doubts: u64) -> Result<()> {
        if doubts == 0 {
            return Ok(());
        }
        let some = self.snapshot.some_in_doubt().await?;
        let keys: Vec<&str> = self.given.key.iter().map(String::as_str).collect();
        let message = format!(
            "{} may have been sent, and must not be sent twice ({}: {}{})",
            count(doubts, "row"),
            keys.join(", "),
            some.join("; "),
            if doubts > some.len() as u64 { "; ..." } else { "" }
        );
        let flow = &self.step.run.plan.flow;
        Err(Error::new(ErrorKind::InDoubt, message)
            .help(format!(
                "look at the API, and then: sequor run {flow} --in-doubt send (they are sent again) or --in-doubt skip (they count as sent). An `idempotency_key` avoids it"
            ))
            .at(&self.given.place))
    }
}

/// A digest of what decides what a request sends of a row, as it is written, and of where it goes.
async fn definition(step: &StepContext, http: &HttpStep) -> Result<String> {
    let request = &http.request.request;
    let api = step.run.apis.get(request.source.as_deref(), &step.scope).await?;
    let base_url = match api.source.as_ref().and_then(|source| source.base_url.as_ref()) {
        None => None,
        Some(prop) => Some((prop, step.value(prop).await)),
    };
    Ok(request_digest(http, base_url))
}

/// Returns the digest of a request. `base_url`: that of its source, with its value.
pub fn request_digest(http: &HttpStep, base_url: Option<(&Prop, Result<Value>)>) -> String {
    let request = &http.request.request;
    let base_url = base_url.map(|(prop, value)| match value {
        Ok(value) => json!(value.to_text()),
        // What reads the source's own variables counts as it is written.
        Err(_) => json!(prop),
    });
    let text = json!({
        "base_url": base_url,
        "source": request.source,
        "url": request.url,
        "method": request.method,
        "path_parameters": request.path_parameters,
        "parameters": request.parameters,
        "headers": request.headers,
        "body": request.body,
        "body_format": request.body_format,
    });
    short(digest(&[&as_written(text).to_string()]))
}
