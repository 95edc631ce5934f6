//! Turns: steps work at the same time, and what they do takes effect in the order of the flow. A step's turn comes when
//! every step before it is over. What it sets meanwhile is staged: steps behind it read it, steps before it do not.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// A variable: the frame of a local one, and its name.
pub type Variable = (Option<usize>, String);

/// How far a region is.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// All steps below this one are over.
    over: usize,
    /// The step that failed: what is behind it does not take effect.
    failed: Option<usize>,
}

/// What a step tells its scheduler while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    /// Its work is done, and what it sets is staged.
    Worked(usize),
    /// It failed: when its turn comes, the region fails.
    WillFail(usize),
}

/// The turns of the steps of a region, for one run of it.
pub struct Turns {
    /// The turn of the step around.
    parent: Option<Turn>,
    progress: watch::Sender<Progress>,
    signals: mpsc::UnboundedSender<Signal>,
    /// What steps set before their turn, by step.
    staged: Mutex<BTreeMap<usize, HashMap<Variable, Value>>>,
    /// Whether anything is staged: mostly there is nothing, and variables are read often.
    any_staged: AtomicBool,
}

impl Turns {
    /// Creates the turns of a region inside the step whose turn is `parent`, and what its steps tell.
    pub fn new(parent: Option<Turn>) -> (Arc<Turns>, mpsc::UnboundedReceiver<Signal>) {
        // Each step sends two signals at most.
        let (signals, receiver) = mpsc::unbounded_channel();
        let turns = Turns {
            parent,
            progress: watch::Sender::default(),
            signals,
            staged: Mutex::default(),
            any_staged: AtomicBool::new(false),
        };
        (Arc::new(turns), receiver)
    }

    /// Returns the turn of the step at a position.
    pub fn turn(self: &Arc<Turns>, at: usize, unordered: bool) -> Turn {
        Turn {
            turns: self.clone(),
            at,
            unordered,
        }
    }

    /// Says that a step is over, as are all before it.
    pub fn over(&self, at: usize) {
        self.unstage(at);
        self.progress
            .send_modify(|progress| progress.over = progress.over.max(at + 1));
    }

    /// Says that a step failed, in its turn.
    pub fn failed(&self, at: usize) {
        self.progress.send_modify(|progress| {
            progress.failed.get_or_insert(at);
        });
    }

    fn staged(&self) -> MutexGuard<'_, BTreeMap<usize, HashMap<Variable, Value>>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unstage(&self, at: usize) {
        if self.any_staged.load(Ordering::Acquire) {
            let mut staged = self.staged();
            staged.remove(&at);
            self.any_staged.store(!staged.is_empty(), Ordering::Release);
        }
    }
}

/// The turn of one step.
#[derive(Clone)]
pub struct Turn {
    turns: Arc<Turns>,
    at: usize,
    /// Whether the step gave up its place: barriers inside it wait for nothing outside.
    unordered: bool,
}

impl Turn {
    /// Waits for the turn.
    ///
    /// # Errors
    /// A step before failed: the turn never comes.
    pub fn wait(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.reached().await?;
            match &self.turns.parent {
                Some(parent) => parent.wait().await,
                None => Ok(()),
            }
        })
    }

    /// Waits until a barrier may start: as for its turn, but not beyond a step that gave up its place.
    ///
    /// # Errors
    /// A step before failed.
    pub fn wait_for_barriers(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if self.unordered {
                return Ok(());
            }
            self.reached().await?;
            match &self.turns.parent {
                Some(parent) => parent.wait_for_barriers().await,
                None => Ok(()),
            }
        })
    }

    async fn reached(&self) -> Result<()> {
        let mut progress = self.turns.progress.subscribe();
        let behind = |progress: &Progress| progress.failed.is_some_and(|failed| failed < self.at);
        let now = progress
            .wait_for(|progress| progress.over >= self.at || behind(progress))
            .await;
        match now {
            Ok(progress) if !behind(&progress) => Ok(()),
            _ => Err(Error::new(ErrorKind::TakenBack, "a step before it failed")),
        }
    }

    /// Tells whether the turn is there.
    pub fn is_current(&self) -> bool {
        let own = self.turns.progress.borrow().over >= self.at;
        own && self.turns.parent.as_ref().is_none_or(Turn::is_current)
    }

    /// Stages what the step sets: steps behind it read it before its turn.
    pub fn stage(&self, values: &[(Variable, Value)]) {
        if !values.is_empty() {
            let mut staged = self.turns.staged();
            staged.entry(self.at).or_default().extend(values.iter().cloned());
            self.turns.any_staged.store(true, Ordering::Release);
        }
        self.tell(Signal::Worked(self.at));
    }

    /// Says that what the step staged is published.
    pub fn published(&self) {
        self.turns.unstage(self.at);
    }

    /// Says that the step will fail when its turn comes: steps behind it need not start.
    pub fn will_fail(&self) {
        self.tell(Signal::WillFail(self.at));
    }

    fn tell(&self, signal: Signal) {
        // The scheduler listens as long as its steps run.
        let _ = self.turns.signals.send(signal);
    }

    /// Returns the value that a variable was set to by a step before this one, and is not published yet.
    pub fn staged(&self, frame: Option<usize>, name: &str) -> Option<Value> {
        let own = || {
            let staged = self.turns.staged();
            let key = (frame, name.to_string());
            staged
                .range(..self.at)
                .rev()
                .find_map(|(_, set)| set.get(&key).cloned())
        };
        let here = self.turns.any_staged.load(Ordering::Acquire).then(own).flatten();
        here.or_else(|| self.turns.parent.as_ref()?.staged(frame, name))
    }
}
