//! One round of an incremental step: for each row of its for_each, or for the one request, the next part of what is asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::DataType;
use indexmap::IndexMap;

use super::position::{Kind, Position};
use super::ranges::{Gap, Ranges};
use super::settings::Settings;
use super::tracker::kind_of;
use super::windows::{Window, windows};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What is covered, by whose it is, as the tables have it.
pub type Known = HashMap<String, Ranges>;

/// One round.
pub struct Round {
    pub settings: Settings,
    /// What the cursor's values are; none where that is not known yet.
    kind: Mutex<Option<Kind>>,
    /// What is covered in all tables.
    known: Arc<Known>,
    /// Which of the windows of each is asked for.
    number: usize,
    /// Whether some have a window behind this one.
    more: AtomicBool,
    asked: Mutex<HashMap<u64, Asked>>,
}

/// What is asked for one row.
struct Asked {
    partition: String,
    window: Window,
    seen: Option<Position>,
    /// Whether all of it came.
    done: bool,
    /// Whether it is known that some of it did not.
    lacks: bool,
}

impl Round {
    /// Returns a round in which nothing was asked yet.
    pub fn new(settings: Settings, kind: Option<Kind>, known: &Arc<Known>, number: usize) -> Round {
        Round {
            settings,
            kind: Mutex::new(kind),
            known: known.clone(),
            number,
            more: AtomicBool::new(false),
            asked: Mutex::default(),
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
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
        let partition = self.settings.partition_of(row)?;
        let nothing = Ranges::default();
        let covered = match self.settings.range {
            None => self.known.get(&partition).unwrap_or(&nothing),
            // It is asked for again.
            Some(_) => &nothing,
        };
        let kind = self.kind().unwrap_or(Kind::Text);
        let windows = windows(&self.settings, kind, covered)?;
        if windows.len() > self.number + 1 {
            self.more.store(true, Ordering::Relaxed);
        }
        let Some(window) = windows.into_iter().nth(self.number) else {
            return Ok(None);
        };
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
            window,
            seen: None,
            done: false,
            lacks: false,
        };
        self.asked().insert(at, asked);
        Ok(Some(value))
    }

    /// Returns from where rows are kept, where the API gives others, too.
    pub fn kept_from(&self, of: u64) -> Option<Position> {
        match self.settings.asks.start {
            true => None,
            false => self.asked().get(&of)?.window.asked_from.clone(),
        }
    }

    /// Notes the largest cursor of some rows.
    pub fn saw(&self, of: u64, position: Position) {
        if let Some(asked) = self.asked().get_mut(&of) {
            asked.seen = asked.seen.take().max(Some(position));
        }
    }

    /// Notes that all that was asked for a row came.
    pub fn done(&self, of: u64) {
        if let Some(asked) = self.asked().get_mut(&of) {
            asked.done = true;
        }
    }

    /// Notes that some of what was asked for a row did not come: it is asked for again.
    pub fn lacks(&self, of: u64) {
        if let Some(asked) = self.asked().get_mut(&of) {
            asked.lacks = true;
        }
    }

    /// Tells whether nothing was asked for.
    pub fn asks_nothing(&self) -> bool {
        self.asked().is_empty()
    }

    /// Tells whether another round asks for more.
    pub fn has_more(&self) -> bool {
        self.more.load(Ordering::Relaxed)
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
            let own = (asked.done && !asked.lacks).then_some((from, to));
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
