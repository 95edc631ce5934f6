//! What is kept when a step is over: that it is, the flow's variables, and those of the project in their place.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use sequor_planner::ops::Plain;
use sequor_planner::plan::{Action, Step};

use super::run::Run;
use super::scope::{Published, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::is_secret_variable;
use crate::state::{Durability, Entry, FAILED, KeptVariables, PROJECT};
use crate::value::{Value, kept};

/// Keeps the project's variables.
pub struct Keeper {
    place: KeptVariables,
    /// What each variable was last kept as.
    texts: Mutex<HashMap<String, String>>,
    /// Variables that can't be kept as they are now, and why.
    unkept: Mutex<IndexMap<String, String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text(name: &str, value: &Value) -> Option<String> {
    kept::write(&IndexMap::from([(name.to_string(), value.clone())])).ok()
}

impl Keeper {
    /// Returns a keeper of variables that are as they were read.
    pub fn new(place: KeptVariables, read: &IndexMap<String, Value>) -> Keeper {
        let texts = read
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), text(name, value)?)));
        Keeper {
            place,
            texts: Mutex::new(texts.collect()),
            unkept: Mutex::default(),
        }
    }

    /// Keeps variables that were set. Those that are others than before.
    ///
    /// # Errors
    /// They can't be written.
    pub async fn set(&self, values: &[(String, Value)]) -> Result<Vec<(String, Value)>> {
        let changed = |(name, value): &&(String, Value)| {
            let new = text(name, value);
            new.is_none() || lock(&self.texts).get(name) != new.as_ref()
        };
        let values: Vec<(String, Value)> = values.iter().filter(changed).cloned().collect();
        if values.is_empty() {
            return Ok(values);
        }
        let unkept = self.place.set(&values).await?;
        for (name, value) in &values {
            match unkept.get(name) {
                Some(why) => {
                    lock(&self.unkept).insert(name.clone(), why.clone());
                }
                None => {
                    lock(&self.unkept).shift_remove(name);
                    lock(&self.texts).extend(text(name, value).map(|text| (name.clone(), text)));
                }
            }
        }
        Ok(values)
    }

    /// Keeps what changed since: values that code changed in place. Called when the run is over.
    ///
    /// # Errors
    /// Variables that can't be written, or can't be kept.
    pub async fn finish(&self, run: &Run) -> Result<()> {
        let all: Vec<(String, Value)> = run.variables.project().into_iter().collect();
        let changed = self.set(&all).await?;
        let mut notes = run.journal.notes();
        for (name, value) in &changed {
            notes.variable(PROJECT, name, value, &is_secret(run, name)).await;
        }
        run.journal.add(notes);
        match lock(&self.unkept).first() {
            None => Ok(()),
            Some((name, why)) => {
                let message = format!("variable `{name}` can't be kept: {why}");
                Err(Error::new(ErrorKind::Variable, message)
                    .help("keep it inside the flow with `scope: local`"))
            }
        }
    }
}

/// Tells whether the text of a variable holds a secret.
pub fn is_secret<'r>(run: &'r Run, name: &str) -> impl Fn(&str) -> bool + Sync + use<'r> {
    let by_name = is_secret_variable(name);
    move |text| by_name || run.redactor.redact(text) != text
}

/// Whether a step changes something outside of the run itself: what was done before it is written down first.
pub fn has_effects(step: &Step) -> bool {
    match &step.action {
        Action::Http(_) => true,
        Action::Plain(plain) => !matches!(**plain, Plain::SetVariable(_) | Plain::Print(_)),
        _ => false,
    }
}

/// Whether a step keeps files while it runs.
fn keeps_files(step: &Step) -> bool {
    matches!(step.action, Action::Http(_) | Action::ForEach { .. })
}

/// Notes that a step is over, with what it published.
///
/// # Errors
/// What can't be written.
pub async fn over(
    run: &Run,
    step: &Step,
    scope: &Scope,
    published: &Published,
    failed: bool,
    rejects: u64,
) -> Result<()> {
    let published = std::mem::take(&mut *lock(published));
    if !run.journal.keeps() && run.kept.is_none() {
        return Ok(());
    }
    let mut notes = run.journal.notes();
    let mut of_project = Vec::new();
    for ((frame, name), value) in published {
        match frame {
            Some(frame) => {
                let frame = run.variables.frame_name(frame);
                notes
                    .variable(&frame, &name, &value, &is_secret(run, &name))
                    .await;
            }
            None => {
                notes
                    .variable(PROJECT, &name, &value, &is_secret(run, &name))
                    .await;
                notes.note(&name, Entry::Unsaved, "");
                of_project.push((name, value));
            }
        }
    }
    let how = if failed { FAILED } else { "" };
    notes.note(&scope.key(&step.id), Entry::Over, how);
    if has_effects(step) {
        notes.forget_entry(&scope.key(&step.id), Entry::Committing);
    }
    run.journal.add(notes);
    match (has_effects(step), of_project.is_empty()) {
        // What was sent is not sent again, even when the machine goes down; all else can be done once more.
        (true, _) if step.outside => run.journal.sync(Durability::Machine).await?,
        (true, _) => run.journal.sync(Durability::Process).await?,
        (false, false) => run.journal.sync(Durability::Process).await?,
        (false, true) => run.journal.sync_much().await?,
    }
    if let (Some(files), false) = (&run.files, failed)
        && keeps_files(step)
    {
        // What was rejected can be sent again: it needs all of it.
        match rejects {
            0 => files.forget(&scope.key(&step.id)).await?,
            _ => files.loaded(&scope.key(&step.id)).await?,
        }
    }
    if of_project.is_empty() {
        return Ok(());
    }
    if let Some(kept) = &run.kept {
        kept.set(&of_project).await?;
    }
    let mut notes = run.journal.notes();
    for (name, _) in &of_project {
        notes.forget_entry(name, Entry::Unsaved);
    }
    run.journal.add(notes);
    Ok(())
}
