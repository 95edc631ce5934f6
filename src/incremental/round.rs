//! One round of an incremental step: for each row of its for_each, or for the one request, the next part of what is asked.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::datatypes::DataType;
use indexmap::IndexMap;
use sequor_planner::ops::{Order, WriteMode};

use super::asked_rows::AskedRows;
use super::ignored::Ignored;
use super::position::{Kind, Position};
use super::ranges::{Gap, Ranges};
use super::settings::Settings;
use super::tracker::kind_of;
use super::windows::{Window, windows};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What is covered, by whose it is, as the tables have it.
pub type Known = HashMap<String, Ranges>;

/// The cursors that rows of the for_each had themselves when they were asked for, by whose state it is.
pub type Parents = HashMap<String, BTreeSet<String>>;

/// One round.
pub struct Round {
    pub settings: Settings,
    /// What the cursor's values are; none where that is not known yet.
    kind: Mutex<Option<Kind>>,
    /// What is covered in all tables.
    known: Arc<Known>,
    parents: Arc<Parents>,
    /// Which of the windows of each is asked for.
    number: usize,
    /// Whether some have a window behind this one.
    more: AtomicBool,
    /// Whether it goes no further than what came, so that it can be committed.
    pub(super) paused: AtomicBool,
    /// Whether rows came in another order than the flow says: how far it got is not known then.
    pub(super) refuted: AtomicBool,
    /// Whether what the tables had goes with its commit.
    anew: bool,
    pub(super) begun: Instant,
    asked_rows: AskedRows,
    pub(super) ignored: Ignored,
    asked: Mutex<HashMap<u64, Asked>>,
}

/// What is to be asked for a row.
pub struct Missing {
    /// Whose state it is.
    pub partition: String,
    /// The row's own cursor.
    pub parent: Option<String>,
    pub windows: Vec<Window>,
}

/// What came of what was asked for.
pub struct Came {
    /// Columns of the for_each's row that tell whose it is.
    pub of: Vec<(String, Value)>,
    pub from: Option<Position>,
    pub to: Option<Position>,
    /// Whether some rows stand at the very end.
    pub at_end: bool,
    /// Whether nothing is missing.
    pub complete: bool,
}

/// What is asked for one row.
pub(super) struct Asked {
    partition: String,
    /// The row's columns that tell whose state it is.
    of: Vec<(String, Value)>,
    /// The row's own cursor.
    parent: Option<String>,
    pub(super) window: Window,
    seen: Option<Position>,
    /// Whether all of it came.
    done: bool,
    /// Whether it is known that some of it did not.
    pub(super) lacks: bool,
    /// How many rows came, and whether no other page is asked for.
    pub(super) rows: u64,
    pub(super) ends: bool,
    /// The cursor of the last row that came.
    pub(super) last: Option<Position>,
}

impl Round {
    /// Returns a round in which nothing was asked yet. `anew`: whether what the tables had goes with its commit.
    pub fn new(
        settings: Settings,
        kind: Option<Kind>,
        (known, parents): (&Arc<Known>, &Arc<Parents>),
        (number, anew): (usize, bool),
    ) -> Round {
        Round {
            settings,
            kind: Mutex::new(kind),
            known: known.clone(),
            parents: parents.clone(),
            number,
            more: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            refuted: AtomicBool::new(false),
            anew,
            begun: Instant::now(),
            asked_rows: AskedRows::default(),
            ignored: Ignored::default(),
            asked: Mutex::default(),
        }
    }

    pub(super) fn asked(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what the cursor's values are, as far as that is known.
    pub fn kind(&self) -> Option<Kind> {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the cursor's column holds.
    ///
    /// # Errors
    /// A column whose values are no positions, or others than the state has.
    pub fn settle_kind(&self, column: &DataType) -> Result<()> {
        let found = kind_of(column, &self.settings.given)?;
        let mut kind = self.kind.lock().unwrap_or_else(PoisonError::into_inner);
        match *kind {
            // Texts may be times: of columns that come from the data.
            Some(Kind::Time | Kind::Date) if found == Kind::Text => Ok(()),
            Some(known) if known != found => {
                let message = format!(
                    "the cursor `{}` is a {column}, and `initial` or what is kept of earlier runs is none",
                    self.settings.given.cursor
                );
                Err(Error::new(ErrorKind::Data, message)
                    .help("give the column the type that `initial` has; what is kept is forgotten by `sequor state reset`"))
            }
            _ => {
                *kind = Some(found);
                Ok(())
            }
        }
    }

    /// Returns the range to ask for a row as `var('window')`; none where nothing is left to ask for it. `row`: its position,
    /// and itself.
    ///
    /// # Errors
    /// A range that can't be told.
    pub fn ask(&self, (at, row): (u64, &Value)) -> Result<Option<Value>> {
        let Missing {
            partition,
            parent,
            windows,
        } = self.missing(row)?;
        if windows.len() > self.number + 1 {
            self.more.store(true, Ordering::Relaxed);
        }
        // Only behind the last window nothing is missing of what is new.
        let parent = parent.filter(|_| windows.len() <= self.number + 1);
        let Some(window) = windows.into_iter().nth(self.number) else {
            return Ok(None);
        };
        let kind = self.kind_or_text();
        let format = self.settings.given.format.as_ref();
        let written = |position: Option<&Position>| match position {
            None => Value::Null,
            Some(position) => kind.written(position, format),
        };
        let value = Value::Map(Arc::new(IndexMap::from([
            ("start".to_string(), written(window.asked_from.as_ref())),
            ("end".to_string(), written(window.to.as_ref())),
        ])));
        let asked = Asked {
            partition,
            of: match self.settings.mode {
                WriteMode::ReplaceRange => self.settings.partitioning().values_of(row)?,
                _ => Vec::new(),
            },
            parent,
            window,
            seen: None,
            done: false,
            lacks: false,
            rows: 0,
            ends: false,
            last: None,
        };
        self.asked().insert(at, asked);
        Ok(Some(value))
    }

    /// Returns what is to be asked for a row, from the first window on.
    ///
    /// # Errors
    /// A range that can't be told; a row that was looked at before, where it may be asked for only once.
    pub fn missing(&self, row: &Value) -> Result<Missing> {
        let partition = self.settings.partitioning().partition_of(row)?;
        let nothing = Ranges::default();
        let covered = match self.settings.range {
            None => self.known.get(&partition).unwrap_or(&nothing),
            // It is asked for again.
            Some(_) => &nothing,
        };
        let mut windows = windows(&self.settings, self.kind_or_text(), covered)?;
        let parent = self.settings.partitioning().parent_of(row)?;
        self.asked_rows.check(&self.settings, &partition, row)?;
        let same = |parent: &String| {
            self.parents
                .get(&partition)
                .is_some_and(|had| had.contains(parent))
        };
        if !covered.is_empty() && parent.as_ref().is_some_and(same) {
            // Nothing is new: what is missing before is asked for.
            windows.retain(|window| window.from.as_ref() < covered.end());
        }
        Ok(Missing {
            partition,
            parent,
            windows,
        })
    }

    fn kind_or_text(&self) -> Kind {
        self.kind().unwrap_or(Kind::Text)
    }

    /// Returns between which ends rows are kept, where the API gives others, too.
    pub fn kept(&self, of: u64) -> (Option<Position>, Option<Position>) {
        let exact = self.settings.is_exact();
        let asked = self.asked();
        let Some(Asked { window, .. }) = asked.get(&of) else {
            return (None, None);
        };
        let from = window.asked_from.clone();
        let to = window.to.clone().filter(|_| exact);
        (from.filter(|_| exact || !self.settings.asks.start), to)
    }

    /// Returns from where a row was asked for; none where the request does not say it.
    pub(super) fn asked_from(&self, of: u64) -> Option<Position> {
        let asked = self.asked();
        let asked = asked.get(&of).filter(|_| self.settings.asks.start)?;
        asked.window.asked_from.clone()
    }

    /// Returns what is said of an API that gives what it was not asked for.
    pub fn ignored(&self) -> Option<String> {
        let (older, rows) = self.ignored.found()?;
        let what = match &self.settings.given.start_param {
            Some(param) => format!("`{param}`"),
            None => "the start in the request".to_string(),
        };
        Some(format!(
            "{older} of {rows} rows that came are older than what was asked for: does the API look at {what}?"
        ))
    }

    /// Returns what was asked for, and whether all of it came: that of rows which share a state once.
    pub fn came(&self) -> Vec<Came> {
        let mut all: HashMap<&str, Came> = HashMap::new();
        let asked = self.asked();
        for asked in asked.values() {
            let part = self.part(asked);
            let to = match (asked.done, &part) {
                (false, Some(seen)) => Some(seen.clone()),
                _ => asked.window.to.clone(),
            };
            let own = Came {
                of: asked.of.clone(),
                from: asked.window.asked_from.clone(),
                at_end: to.is_some() && asked.seen >= to,
                to,
                complete: (asked.done || part.is_some()) && !asked.lacks,
            };
            match all.get_mut(asked.partition.as_str()) {
                Some(came) => {
                    // As far as the one that came least far.
                    came.to = match (came.to.take(), own.to) {
                        (Some(a), Some(b)) => Some(a.min(b)),
                        (a, b) => a.or(b),
                    };
                    came.at_end &= own.at_end;
                    came.complete &= own.complete;
                }
                None => {
                    all.insert(&asked.partition, own);
                }
            }
        }
        all.into_values().collect()
    }

    /// Notes the largest cursor of some rows.
    pub fn saw(&self, of: u64, position: Position) {
        if let Some(asked) = self.asked().get_mut(&of) {
            asked.seen = asked.seen.take().max(Some(position));
        }
    }

    /// Returns the columns that tell whose a row's rows are, with their values.
    pub fn values_of(&self, of: u64) -> Vec<(String, Value)> {
        self.asked()
            .get(&of)
            .map_or_else(Vec::new, |asked| asked.of.clone())
    }

    /// Tells whether what came can be kept though something is missing.
    pub fn is_resumable(&self) -> bool {
        self.settings.given.order == Order::Ascending && !self.refuted.load(Ordering::Relaxed)
    }

    /// Notes that all that was asked for a row came.
    pub fn done(&self, of: u64) {
        if let Some(asked) = self.asked().get_mut(&of) {
            asked.done = !self.is_paused();
        }
    }

    /// Notes that some of what was asked for a row did not come: it is asked for again.
    pub fn lacks(&self, of: u64) {
        if let Some(asked) = self.asked().get_mut(&of) {
            asked.lacks = true;
        }
    }

    /// Tells whether what was there before goes with its commit.
    pub fn begins_anew(&self) -> bool {
        self.anew
    }

    /// Tells whether nothing was asked for.
    pub fn asks_nothing(&self) -> bool {
        self.asked().is_empty()
    }

    /// Tells whether another round asks for more.
    pub fn has_more(&self) -> bool {
        self.more.load(Ordering::Relaxed)
    }

    /// Returns the cursors that rows had themselves of which all came.
    pub fn parents(&self) -> Parents {
        let mut parents = Parents::new();
        let asked = self.asked();
        for asked in asked.values().filter(|asked| asked.done && !asked.lacks) {
            if let Some(parent) = &asked.parent {
                let of = parents.entry(asked.partition.clone()).or_default();
                of.insert(parent.clone());
            }
        }
        parents
    }

    /// Returns up to where rows came of what is not complete; none where nobody knows.
    fn part(&self, asked: &Asked) -> Option<Position> {
        // What a run is told to ask for is covered anyhow: of a part of it nobody would know.
        let keeps = self.is_resumable() && self.settings.range.is_none();
        asked.seen.clone().filter(|_| keeps && !asked.done)
    }

    /// Returns what is covered when what came is committed, by whose it is.
    pub fn covered(&self, before: &Known) -> Known {
        let cap = self.kind().and_then(|kind| self.settings.end(kind));
        // Rows that share a state have come as far as the one that came least far, and nowhere where one failed.
        let mut reached: HashMap<&str, Option<Gap>> = HashMap::new();
        let asked = self.asked();
        for asked in asked.values() {
            let from = asked.window.from.clone();
            // A row of the future says nothing of what comes until then.
            let seen = asked.seen.clone();
            let seen = match &cap {
                Some(cap) => seen.map(|seen| seen.min(cap.clone())),
                None => seen,
            };
            let to = asked.window.to.clone().or_else(|| seen.max(from.clone()));
            let to = match self.part(asked) {
                Some(part) => Some(to.map_or(part.clone(), |to| to.min(part))),
                None => to,
            };
            let complete = asked.done || self.part(asked).is_some();
            // Where it begins in the future, nothing is covered yet.
            let begins = match (&from, &cap) {
                (Some(from), Some(cap)) => from <= cap,
                _ => true,
            };
            let own = (complete && begins && !asked.lacks).then_some((from, to));
            let entry = reached.entry(&asked.partition).or_insert_with(|| own.clone());
            *entry = match (entry.take(), own) {
                (Some((from, a)), Some((_, b))) => Some((from, a.min(b))),
                _ => None,
            };
        }
        let mut covered = Known::new();
        for (partition, range) in reached {
            let Some((from, to)) = range else { continue };
            let mut ranges = before.get(partition).cloned().unwrap_or_default();
            if let Some(to) = to {
                ranges.add((from, to));
            }
            covered.insert(partition.to_string(), ranges);
        }
        covered
    }
}
