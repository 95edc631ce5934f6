//! What a run leaves behind: that it began, goes on and ended, and what it told.

use std::sync::Arc;
use std::time::Duration;

use sequor_planner::did_you_mean;
use sequor_planner::plan::Plan;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::compile::{Compiled, Loaded};
use super::parts::{Remembered, RunKeeps};
use super::resume::{self, Resumed};
use super::turns::{self, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ErrorReport, RunStatus};
use crate::exec::{Keeper, Listener};
use crate::http::{NoTokens, TokenStore};
use crate::state::{
    BEAT, Budget, Chunks, Durability, Entry, Journal, Owner, Recorder, RunFiles, Store, Tokens,
};

/// What a run leaves behind.
pub struct History {
    pub run: Uuid,
    pub attempt: u32,
    /// None: a run that is only looked at.
    kept: Option<Kept>,
}

struct Kept {
    store: Store,
    chunks: Arc<dyn Chunks>,
    recorder: Recorder,
    _beat: AbortOnDropHandle<()>,
}

/// A history that has begun, with what the run needs of it.
pub struct Begun {
    history: History,
    keeps: RunKeeps,
    before: Remembered,
    listener: Option<Listener>,
}

impl Begun {
    /// Returns the history, what the run keeps, what outlived runs before, and who listens to it.
    pub fn split(self) -> (History, RunKeeps, Remembered, Option<Listener>) {
        (self.history, self.keeps, self.before, self.listener)
    }
}

impl History {
    /// Returns that of a run which is only looked at.
    ///
    /// # Errors
    /// A state that can't be opened: requests that are sent need its tokens.
    pub async fn none(loaded: &Loaded) -> Result<Begun> {
        let store = loaded.open_state().await?;
        let sealer = loaded.sealer(&store);
        Ok(History::unkept(Arc::new(Tokens::new(&store, &sealer))))
    }

    /// Returns that of a dry run: a state that is not there is not made.
    ///
    /// # Errors
    /// A state that can't be opened.
    /// `is_test`: what was kept before is no part of it.
    pub async fn dry(loaded: &Loaded, is_test: bool) -> Result<Begun> {
        match loaded.has_state() && !is_test {
            true => History::none(loaded).await,
            false => Ok(History::unkept(Arc::new(NoTokens))),
        }
    }

    fn unkept(tokens: Arc<dyn TokenStore>) -> Begun {
        Begun {
            history: History {
                run: Uuid::now_v7(),
                attempt: 1,
                kept: None,
            },
            keeps: RunKeeps {
                id: Uuid::nil(),
                files: None,
                retries_rejected: false,
                state: None,
                journal: Journal::none(),
                variables: None,
            },
            before: Remembered {
                tokens,
                ..Remembered::default()
            },
            listener: None,
        }
    }

    /// Begins a run, or goes on with one.
    ///
    /// # Errors
    /// A state that can't be opened or written; a run that another program goes on with; an interrupt while it waits.
    pub async fn begin(
        compiled: &Compiled,
        resumed: Option<Resumed>,
        from_step: Option<&str>,
        waiting: &Waiting,
        cancel: &CancellationToken,
    ) -> Result<Begun> {
        let loaded = &compiled.loaded;
        let store = loaded.open_state().await?;
        let sealer = loaded.sealer(&store);
        let owner = Owner::this();
        let lock = async |run| turns::take(&store, run, &owner, &compiled.plan, waiting, cancel).await;
        let retries_rejected = resumed.as_ref().is_some_and(|resumed| resumed.retries_rejected);
        let (run, attempt, journal) = match resumed {
            None => {
                let start = resume::start(compiled)?;
                let passed = from_step.map(|step| before(&compiled.plan, step)).transpose()?;
                lock(start.run).await?;
                if let Some(passed) = passed {
                    let latest = resume::latest(&store, &start.flow)
                        .await?
                        .map(|record| record.run);
                    store.pass_over(start.run, &passed, latest).await?;
                }
                store.begin_run(&start, &owner).await?;
                (start.run, 1, Journal::of(&store, &sealer, start.run).await?)
            }
            Some(resumed) => {
                lock(resumed.record.run).await?;
                let attempt = store.take_over(&resumed.record, &owner).await?;
                if let Some(steps) = resumed.journal.retried() {
                    let mut notes = resumed.journal.notes();
                    notes.note(resume::RETRY, Entry::Retrying, &steps);
                    resumed.journal.add(notes);
                    resumed.journal.sync(Durability::Process).await?;
                }
                (resumed.record.run, attempt, resumed.journal)
            }
        };
        let (listener, events) = Listener::every();
        let chunks = loaded.chunks(&store);
        let budget = Budget::new(loaded.compiler.project.state.max_disk);
        let files = RunFiles::new(chunks.clone(), run, budget);
        let place = loaded.kept_variables(&store);
        let tokens: Arc<dyn TokenStore> = Arc::new(Tokens::new(&store, &sealer));
        Ok(Begun {
            before: Remembered {
                tokens,
                locals: journal.locals().await?,
            },
            keeps: RunKeeps {
                id: run,
                files: Some(files),
                retries_rejected,
                state: Some(store.clone()),
                journal,
                variables: Some(Keeper::new(place, &loaded.kept)),
            },
            history: History {
                run,
                attempt,
                kept: Some(Kept {
                    recorder: Recorder::start(store.clone(), run, attempt, events),
                    _beat: beating(store.clone(), run),
                    chunks,
                    store,
                }),
            },
            listener: Some(listener),
        })
    }

    /// Tells whether anything is remembered.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Waits until what was told is remembered.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn flush(&self) -> Result<()> {
        match &self.kept {
            Some(kept) => kept.recorder.flush().await,
            None => Ok(()),
        }
    }

    /// Notes how the run ended.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn end(&self, status: RunStatus, seconds: f64, error: Option<&ErrorReport>) -> Result<()> {
        match &self.kept {
            Some(kept) => kept.store.end_run(self.run, status, seconds, error).await,
            None => Ok(()),
        }
    }

    /// Writes the last that was told, and forgets runs that are too old.
    pub async fn close(self, loaded: &Loaded) {
        /// A state that does not answer any more has had its turn.
        const PATIENCE: Duration = Duration::from_secs(5);
        let Some(kept) = self.kept else { return };
        let closing = async {
            kept.recorder.flush().await?;
            for old in kept.store.prune(loaded.keeping()).await? {
                kept.chunks.remove(&RunFiles::folder(&old)).await?;
            }
            kept.store.close().await;
            Ok::<(), crate::error::Error>(())
        };
        match tokio::time::timeout(PATIENCE, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the end of the run is not remembered whole"),
            Err(_) => tracing::warn!("the state does not answer: the end of the run is not remembered whole"),
        }
    }
}

/// The steps before one, in the order of the flow.
///
/// # Errors
/// No such step, or one inside of another.
fn before(plan: &Plan, step: &str) -> Result<Vec<String>> {
    let ids = || plan.root.steps.iter().map(|step| step.id.as_str());
    let Some(at) = ids().position(|id| id == step) else {
        let message = format!("no step of the flow itself has the id `{step}`");
        let near = did_you_mean(step, "steps", ids());
        let inside = "a step inside of another can't be begun at: name the one around it";
        return Err(Error::new(ErrorKind::Project, message).help(near.unwrap_or_else(|| inside.into())));
    };
    Ok(ids().take(at).map(str::to_string).collect())
}

/// Gives signs of life while the run goes on.
fn beating(store: Store, run: Uuid) -> AbortOnDropHandle<()> {
    let beating = async move {
        loop {
            tokio::time::sleep(BEAT).await;
            if let Err(error) = store.beat(run).await {
                tracing::warn!(%error, "no sign of life could be given");
            }
        }
    };
    AbortOnDropHandle::new(tokio::spawn(beating))
}
