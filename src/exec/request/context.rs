//! What all requests of a step share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sequor_planner::ops::{CHANGE, Change, KEPT_RESPONSE, WINDOW};
use sequor_planner::plan::HttpStep;

use super::checkpoint::{Checkpoint, Exchange};
use super::rejects::Rejects;
use super::row_order::RowOrder;
use crate::error::Result;
use crate::exchange::Response;
use crate::exec::api::Api;
use crate::exec::changes::{Item, Pass};
use crate::exec::context::StepContext;
use crate::exec::layer::Layer;
use crate::exec::load::sink::Sink;
use crate::exec::marks::Mark;
use crate::exec::scope::Scope;
use crate::http::{Auth, Hosts, Limits, Policy};
use crate::incremental::Round;
use crate::value::{Row, Value};

/// What became of a step's responses: whether its tables change.
#[derive(Default)]
pub struct Outcome {
    /// A rule, or a 304, says that the tables stay as they are.
    pub kept: AtomicBool,
    /// Something was taken from a response.
    pub taken: AtomicBool,
    /// A response was skipped by a rule.
    pub skipped: AtomicBool,
    /// A dry run was told that what a real answer gives is not known.
    pub unknown: AtomicBool,
    /// Answers of an earlier attempt are not taken, which was told.
    pub unread: AtomicBool,
    /// A 207 was told of, which no rule reads.
    pub partly: AtomicBool,
    /// The mark of a response that was taken, with its name.
    mark: Mutex<Option<(String, Mark)>>,
}

impl Outcome {
    /// Notes the mark of a response that was taken.
    pub fn note(&self, key: String, mark: Mark) {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, mark));
    }

    /// Returns the mark that was noted, to be kept.
    pub fn take_mark(&self) -> Option<(String, Mark)> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns why the tables stay as they are; none where they change.
    pub fn keeps_tables(&self) -> Option<&'static str> {
        match (&self.kept, &self.taken, &self.skipped) {
            (kept, _, _) if kept.load(Ordering::Relaxed) => Some("nothing has changed"),
            (_, taken, skipped) if skipped.load(Ordering::Relaxed) && !taken.load(Ordering::Relaxed) => {
                Some("every response was skipped")
            }
            _ => None,
        }
    }
}

/// What all requests of a step share.
pub struct RequestContext {
    pub step: StepContext,
    pub http: HttpStep,
    pub api: Arc<Api>,
    pub auth: Option<Auth>,
    pub base_url: Option<String>,
    /// Whether what it is sent with is missing: a dry run shows its requests.
    pub unsendable: bool,
    pub success: Vec<u16>,
    pub policy: Policy,
    pub limits: Limits,
    /// Where requests may go.
    pub hosts: Hosts,
    pub rejects: Option<Rejects>,
    /// What is kept of it to go on with.
    pub checkpoint: Option<Checkpoint>,
    /// Set when a rule says to ask no more.
    pub stopped: AtomicBool,
    /// What became of the responses.
    pub outcome: Outcome,
    pub sink: Sink,
    /// The order in which responses are taken; none: as they come.
    pub order: Option<RowOrder>,
    /// Rows that take the place of those of the for_each's table.
    pub records: Option<Vec<Row>>,
    /// What a step that sends only changes is sending.
    pub pass: Option<Arc<Pass>>,
    /// What an incremental step asks for.
    pub round: Option<Arc<Round>>,
}

impl RequestContext {
    /// Returns the scope in which a row is asked for, with the range of an incremental step; none where nothing is left to ask
    /// for it. `at`: the row's position.
    ///
    /// # Errors
    /// A range that can't be told.
    pub fn windowed(&self, scope: Scope, at: u64, row: &Value) -> Result<Option<Scope>> {
        let Some(round) = &self.round else {
            return Ok(Some(scope));
        };
        let window = round.ask((at, row))?;
        Ok(window.map(|window| scope.with(Layer::one(WINDOW, window))))
    }

    /// Returns the scope in which an item is sent, with what became of it where only changes are.
    pub fn changed(&self, scope: Scope, item: &Item) -> Scope {
        if self.http.synced.is_none() {
            return scope;
        }
        // A row that a look is given is a new one.
        let (change, kept) = match &item.part {
            Some(part) => (&*part.change, part.kept.clone()),
            None => (Change::Added.name(), Value::Null),
        };
        scope
            .with(Layer::one(CHANGE, Value::text(change)))
            .with(Layer::one(KEPT_RESPONSE, kept))
    }

    /// Returns how many rows a request has; none: one row, by itself.
    pub fn batch_size(&self) -> Option<u64> {
        let rows = self.http.request.for_each.as_ref();
        rows.and_then(|rows| rows.batch_size)
    }

    /// Notes that some of what was asked for a row did not come, and that nobody asks for it now.
    pub fn lacks(&self, at: u64) {
        if let Some(round) = &self.round {
            round.lacks(at);
        }
    }

    /// Tells whether no other page is asked for a row: what it would give is there, or comes with another request.
    pub fn ends(&self, at: u64) -> bool {
        self.round.as_ref().is_some_and(|round| round.ends(at))
    }

    /// Notes that all that was asked for a row came.
    pub fn asked(&self, at: u64) {
        if let Some(round) = &self.round {
            round.done(at);
        }
    }

    /// Keeps what a step that sends only changes keeps of an answer.
    ///
    /// # Errors
    /// More than can be kept.
    pub fn answered(&self, row: u64, response: &Response) -> Result<()> {
        match self.pass.as_ref().filter(|_| !response.made_up) {
            Some(pass) => pass.answered(row, &response.body),
            None => Ok(()),
        }
    }

    /// Tells whether answers about a row are kept of an earlier attempt.
    pub fn has_answers(&self, row: u64) -> bool {
        self.checkpoint
            .as_ref()
            .is_some_and(|checkpoint| checkpoint.keeps_responses && checkpoint.ledger.has_kept(row))
    }

    /// Returns what is said to the API about an item, and what earlier attempts left of it.
    ///
    /// # Errors
    /// A row that is no data.
    pub fn exchange_about(&self, row: u64, item: &Item) -> Result<Exchange> {
        let mut exchange = self.exchange(row);
        if let Some(pass) = &self.pass
            && self.http.request.request.idempotency_key.is_some()
        {
            exchange.identity = pass.identity(item)?;
        }
        Ok(exchange)
    }

    /// Returns what is said to the API about a row, and what earlier attempts left of it.
    pub fn exchange(&self, row: u64) -> Exchange {
        match &self.checkpoint {
            Some(checkpoint) => checkpoint.exchange(row),
            None => Exchange::of(row),
        }
    }
}
