//! How far a run is, so that it can be gone on with: which steps are over, what was decided on the way, and the flow's local
//! variables. What has no effect outside is written in groups; a step that has one waits until all before it is written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use uuid::Uuid;

use super::home::{Durability, Statement};
use super::sealer::Sealer;
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use crate::value::{Value, kept};

/// What is noted of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// It is over: its effects are there.
    Over,
    /// The branch of an `if` that was taken.
    Branch,
    /// How many rounds of a loop are over.
    Rounds,
    /// The error that a `try` took.
    Caught,
    /// It has begun, and nothing is kept of it to go on from.
    Begun,
    /// It has begun, and what is kept of its rows is in files: without them nobody knows which were sent.
    Kept,
    /// Rows are about to be added to tables: how many these have.
    Committing,
    /// Rows that were rejected are being sent again: the steps, one a line.
    Retrying,
    /// A table of rejects that the run has made anew: what follows is added to it.
    Filled,
    /// A variable that can't be kept, and why: the run can't be gone on with.
    Unkept,
    /// A variable of the project whose value may not have reached its place.
    Unsaved,
}

impl Entry {
    fn as_str(self) -> &'static str {
        match self {
            Entry::Over => "over",
            Entry::Branch => "branch",
            Entry::Rounds => "rounds",
            Entry::Caught => "caught",
            Entry::Begun => "begun",
            Entry::Kept => "kept",
            Entry::Committing => "committing",
            Entry::Retrying => "retrying",
            Entry::Filled => "filled",
            Entry::Unkept => "unkept",
            Entry::Unsaved => "unsaved",
        }
    }
}

/// Local variables, by frame and name.
pub type Local = BTreeMap<String, IndexMap<String, Value>>;

/// The frame under which the project's variables stand.
pub const PROJECT: &str = "project";

/// What is noted of a step that is over, and failed.
pub const FAILED: &str = "failed";

/// What is noted of a step that is over, since the run began behind it.
const PASSED: &str = "passed";

/// What stands before a value that is encrypted.
const SEALED: &str = "!sealed ";

/// What is noted before anything is written.
const GROUP: usize = 256;

/// The journal of a run.
pub struct Journal {
    /// None: nothing is kept.
    kept: Option<(Store, Sealer, Uuid)>,
    /// What earlier attempts noted.
    known: HashMap<(String, String), String>,
    /// The only steps that are run; none: all that are not over.
    only: Option<HashSet<String>>,
    /// What waits to be written.
    pending: Mutex<Vec<Statement>>,
    /// Held while it is written, so that it is in order.
    writing: tokio::sync::Mutex<()>,
    #[cfg(debug_assertions)]
    faults: Option<super::faults::Faults>,
}

impl Journal {
    /// Returns one that keeps nothing.
    pub fn none() -> Journal {
        Journal {
            kept: None,
            known: HashMap::new(),
            only: None,
            pending: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            #[cfg(debug_assertions)]
            faults: super::faults::Faults::asked(),
        }
    }

    /// Does what others see. Tests stop the program before and after it, or have it fail.
    ///
    /// # Errors
    /// What it fails with.
    pub async fn effect<T>(&self, effect: impl Future<Output = Result<T>>) -> Result<T> {
        #[cfg(debug_assertions)]
        if let Some(faults) = &self.faults {
            return faults.around("effect", effect).await;
        }
        effect.await
    }

    /// Returns that of a run, with what earlier attempts noted.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn of(store: &Store, sealer: &Sealer, run: Uuid) -> Result<Journal> {
        let sql = "SELECT step, kind, value FROM @journal WHERE run = $1";
        let found = store.read(sql, vec![run.to_string().into()]).await?;
        let known = found.iter().map(|row| {
            let text = |at: usize| row[at].text().to_string();
            ((text(0), text(1)), text(2))
        });
        Ok(Journal {
            kept: Some((store.clone(), sealer.clone(), run)),
            known: known.collect(),
            ..Journal::none()
        })
    }

    /// Returns the local variables that earlier attempts stood at.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn locals(&self) -> Result<Local> {
        let mut locals = Local::new();
        let Some((store, sealer, run)) = &self.kept else {
            return Ok(locals);
        };
        let sql = "SELECT frame, name, value FROM @locals WHERE run = $1";
        for row in store.read(sql, vec![run.to_string().into()]).await? {
            let (frame, name) = (row[0].text(), row[1].text());
            let text = match row[2].text().strip_prefix(SEALED) {
                Some(sealed) => {
                    let sealed = STANDARD.decode(sealed).unwrap_or_default();
                    sealer.open(name, &sealed).await?
                }
                None => Secret::new(row[2].text()),
            };
            let value = kept::read("the state", text.reveal()).map_err(|why| {
                let message = format!("the variable `{name}` that is remembered can't be read: {why}");
                Error::new(ErrorKind::State, message)
            })?;
            let frame = locals.entry(frame.to_string()).or_default();
            frame.extend(value.into_values().next().map(|value| (name.to_string(), value)));
        }
        Ok(locals)
    }

    /// Tells whether anything is kept.
    pub fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    /// Takes steps as not over that failed, and that the flow went on behind.
    pub fn retry_failed(&mut self) {
        self.known
            .retain(|(_, kind), value| kind != Entry::Over.as_str() || value != FAILED);
    }

    /// Tells whether earlier attempts noted that a step is over.
    pub fn is_over(&self, step: &str) -> bool {
        match &self.only {
            // What is inside of a step that is run again is run with it.
            Some(only) => !step.contains('>') && !only.contains(step),
            None => self.decided(step, Entry::Over).is_some(),
        }
    }

    /// Returns why a step that is over is not run.
    pub fn why_over(&self, step: &str) -> &'static str {
        match self.decided(step, Entry::Over) {
            _ if self.only.is_some() => "only rows that were rejected are sent again",
            Some(FAILED) => {
                "it failed in an earlier attempt, and the flow went on behind it: --retry-failed runs it again"
            }
            Some(PASSED) => "the run begins behind it",
            _ => "an earlier attempt did it",
        }
    }

    /// Takes all steps as over, save for these.
    pub fn only(&mut self, steps: HashSet<String>) {
        self.only = Some(steps);
    }

    /// Returns the steps whose rejected rows alone are sent again, one a line.
    pub fn retried(&self) -> Option<String> {
        let only = self.only.as_ref()?;
        let mut steps: Vec<&str> = only.iter().map(String::as_str).collect();
        steps.sort_unstable();
        Some(steps.join("\n"))
    }

    /// Returns what earlier attempts noted of a step.
    pub fn decided(&self, step: &str, entry: Entry) -> Option<&str> {
        if self.known.is_empty() {
            return None;
        }
        let key = (step.to_string(), entry.as_str().to_string());
        self.known.get(&key).map(String::as_str)
    }

    /// Returns what earlier attempts noted of this kind: the steps, and what of each.
    pub fn all(&self, entry: Entry) -> impl Iterator<Item = (&str, &str)> {
        let of_kind = move |((_, kind), _): &(&(String, String), &String)| kind == entry.as_str();
        let found = self.known.iter().filter(of_kind);
        found.map(|((step, _), value)| (step.as_str(), value.as_str()))
    }

    /// Returns an empty group of notes.
    pub fn notes(&self) -> Notes {
        Notes {
            kept: self
                .kept
                .as_ref()
                .map(|(_, sealer, run)| (sealer.clone(), run.to_string())),
            statements: Vec::new(),
        }
    }

    /// Adds notes: all of them will be written, or none.
    pub fn add(&self, notes: Notes) {
        self.pending().extend(notes.statements);
    }

    fn pending(&self) -> MutexGuard<'_, Vec<Statement>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that was noted is written.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn sync(&self, durability: Durability) -> Result<()> {
        let Some((store, ..)) = &self.kept else {
            return Ok(());
        };
        let _writing = self.writing.lock().await;
        let pending = std::mem::take(&mut *self.pending());
        if pending.is_empty() {
            return Ok(());
        }
        match store.write("journal", &pending, durability).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // What is noted later must not be written without it.
                self.pending().splice(0..0, pending);
                Err(error)
            }
        }
    }

    /// As [`Journal::sync`], where much waits.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn sync_much(&self) -> Result<()> {
        let waiting = self.pending().len();
        match waiting < GROUP {
            true => Ok(()),
            false => self.sync(Durability::Process).await,
        }
    }
}

impl Store {
    /// Notes steps of a run as over that it does not do itself, and takes over the local variables that another run left.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn pass_over(&self, run: Uuid, steps: &[String], before: Option<Uuid>) -> Result<()> {
        let over = steps.iter().map(|step| {
            Statement::new(
                "INSERT INTO @journal (run, step, kind, value) VALUES ($1, $2, $3, $4)",
                [
                    run.to_string().into(),
                    step.as_str().into(),
                    Entry::Over.as_str().into(),
                    PASSED.into(),
                ],
            )
        });
        let locals = before.map(|before| {
            Statement::new(
                "INSERT INTO @locals (run, frame, name, value) SELECT $1, frame, name, value FROM @locals WHERE run = $2 AND frame <> $3",
                [
                    run.to_string().into(),
                    before.to_string().into(),
                    PROJECT.into(),
                ],
            )
        });
        let statements: Vec<Statement> = over.chain(locals).collect();
        let written = self.write("journal", &statements, Durability::Process);
        written.await.map(|_| ())
    }
}

/// Notes that belong together.
pub struct Notes {
    /// None: nothing is kept.
    kept: Option<(Sealer, String)>,
    statements: Vec<Statement>,
}

impl Notes {
    /// Notes something of a step.
    pub fn note(&mut self, step: &str, entry: Entry, value: &str) {
        self.push(|run| {
            Statement::new(
                "INSERT INTO @journal (run, step, kind, value) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (run, step, kind) DO UPDATE SET value = excluded.value",
                [run.into(), step.into(), entry.as_str().into(), value.into()],
            )
        });
    }

    /// Forgets what was noted of steps whose names begin so: a round of a loop is over.
    pub fn forget(&mut self, begins: &str) {
        self.push(|run| {
            Statement::new(
                "DELETE FROM @journal WHERE run = $1 AND substr(step, 1, CAST($2 AS INTEGER)) = $3",
                [run.into(), (begins.chars().count() as u64).into(), begins.into()],
            )
        });
    }

    /// Forgets one thing of a step.
    pub fn forget_entry(&mut self, step: &str, entry: Entry) {
        self.push(|run| {
            Statement::new(
                "DELETE FROM @journal WHERE run = $1 AND step = $2 AND kind = $3",
                [run.into(), step.into(), entry.as_str().into()],
            )
        });
    }

    /// Notes the value of a variable in a frame. `is_secret`: whether a text holds a secret, so that it is encrypted.
    pub async fn variable(
        &mut self,
        frame: &str,
        name: &str,
        value: &Value,
        is_secret: &(dyn Fn(&str) -> bool + Sync),
    ) {
        let Some((sealer, _)) = &self.kept else { return };
        let one = IndexMap::from([("value".to_string(), value.clone())]);
        let text = match kept::write(&one) {
            Ok(text) if is_secret(&text) => {
                let sealed = sealer.seal(name, &Secret::new(text)).await;
                sealed
                    .map(|sealed| format!("{SEALED}{}", STANDARD.encode(sealed)))
                    .map_err(|e| e.to_string())
            }
            Ok(text) => Ok(text),
            Err((_, why)) => Err(why),
        };
        match text {
            Ok(text) => self.push(|run| {
                Statement::new(
                    "INSERT INTO @locals (run, frame, name, value) VALUES ($1, $2, $3, $4)
                     ON CONFLICT (run, frame, name) DO UPDATE SET value = excluded.value",
                    [run.into(), frame.into(), name.into(), text.into()],
                )
            }),
            Err(why) => self.note(name, Entry::Unkept, &why),
        }
    }

    /// Notes that a frame begins anew.
    pub fn enter(&mut self, frame: &str) {
        self.push(|run| {
            Statement::new(
                "DELETE FROM @locals WHERE run = $1 AND frame = $2",
                [run.into(), frame.into()],
            )
        });
    }

    fn push(&mut self, statement: impl FnOnce(String) -> Statement) {
        if let Some((_, run)) = &self.kept {
            self.statements.push(statement(run.clone()));
        }
    }
}
