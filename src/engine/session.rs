//! A session: the parts that carry out plans of a project, put together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use sequor_planner::did_you_mean;
use sequor_planner::ops::WriteMode;
use sequor_planner::plan::{Action, Plan};
use tokio_util::sync::CancellationToken;

use super::compile::{Compiled, Loaded};
use super::dry_run::DryRun;
use super::history::History;
use super::parts::{self, Parts, Remembered};
use super::resume::Resumed;
use super::run::RunHandle;
use super::turns::{Tell, Waiting};
use crate::batch::bounds::check_digits;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ErrorReport, RunStatus};
use crate::exec::{Between, Events, InDoubt, Listener, Opener, Preview, Resends, load_rows, named_table};
use crate::expr::Evaluator;
use crate::sources::database::{Database, Rows};

/// The name under which the project's own history is read.
const HISTORY: &str = "_sequor";

/// What carries out plans of a project. The parts put in here take the place of those that are made by default.
pub struct Session {
    loaded: Loaded,
    listeners: Vec<Listener>,
    /// Databases that were opened outside of any run.
    open: Vec<Arc<dyn Database>>,
    pub(super) options: Options,
    waiting: Waiting,
    /// Stops the run in order.
    cancel: CancellationToken,
    /// The step that the run begins at.
    from_step: Option<String>,
    /// The run that is gone on with.
    resumed: Option<Resumed>,
}

/// The parts that are not the default.
pub(super) struct Options {
    pub record: Option<PathBuf>,
    pub replay: Option<PathBuf>,
    pub files_exist: bool,
    pub preview: Preview,
    pub databases: Option<Arc<dyn Opener>>,
    pub interpreter: Option<Arc<Evaluator>>,
    /// What is done with rows that may have been sent by an earlier attempt.
    pub in_doubt: InDoubt,
    /// Whether incremental steps go on from their states though their requests are others now.
    pub keeps_state: bool,
    /// Whether incremental steps begin anew, and so do their tables.
    pub refreshes: bool,
    /// Which rows are sent again that steps which send only changes have sent before.
    pub resends: Resends,
    /// The range that incremental steps ask for, whatever they have covered.
    pub range: Option<Between>,
    /// None: it is no dry run.
    pub dry_run: Option<Arc<DryRun>>,
    /// How long requests under way get to end in order.
    pub grace: Duration,
    /// How long the run may take.
    pub timeout: Option<Duration>,
}

/// How long requests under way get to end in order, where nothing is said.
const GRACE: Duration = Duration::from_secs(30);

impl Default for Options {
    fn default() -> Self {
        Options {
            record: None,
            replay: None,
            files_exist: false,
            preview: Preview::default(),
            databases: None,
            interpreter: None,
            in_doubt: InDoubt::default(),
            keeps_state: false,
            refreshes: false,
            resends: Resends::default(),
            range: None,
            dry_run: None,
            grace: GRACE,
            timeout: None,
        }
    }
}

impl Session {
    /// Creates a session over a project.
    pub fn new(loaded: &Loaded) -> Session {
        Session {
            loaded: loaded.clone(),
            listeners: Vec::new(),
            open: Vec::new(),
            options: Options::default(),
            waiting: Waiting::default(),
            cancel: CancellationToken::new(),
            from_step: None,
            resumed: None,
        }
    }

    /// Goes on with a run that was begun before, in place of a new one.
    pub fn resume(mut self, resumed: Option<Resumed>) -> Session {
        self.resumed = resumed;
        self
    }

    /// Keeps every request and response as files in a folder, secrets removed.
    pub fn record(mut self, folder: Option<PathBuf>) -> Session {
        self.options.record = folder;
        self
    }

    /// Answers requests from the recordings in a folder; the network is not touched.
    pub fn replay(mut self, folder: Option<PathBuf>) -> Session {
        self.options.replay = folder;
        self
    }

    /// Tries the flow without any effect outside.
    pub fn dry_run(mut self, dry_run: Option<Arc<DryRun>>) -> Session {
        self.options.dry_run = dry_run;
        self
    }

    /// Only shows requests, or what parsers give.
    pub fn preview(mut self, preview: Preview) -> Session {
        self.options.preview = preview;
        self
    }

    /// Opens databases in another way.
    pub fn databases(mut self, opener: Arc<dyn Opener>) -> Session {
        self.options.databases = Some(opener);
        self
    }

    /// Evaluates expressions with an interpreter that is there already.
    pub fn interpreter(mut self, evaluator: Arc<Evaluator>) -> Session {
        self.options.interpreter = Some(evaluator);
        self
    }

    /// Says how long another run is waited for that writes the same. Without, one that does is an error at once; one that may is
    /// waited for 10 minutes. `tell` gets whom it waits for.
    pub fn wait(mut self, most: Option<Duration>, tell: Option<Tell>) -> Session {
        self.waiting = Waiting { most, tell };
        self
    }

    /// Takes what stops the run in order; also while it waits for another.
    pub fn cancel(mut self, cancel: CancellationToken) -> Session {
        self.cancel = cancel;
        self
    }

    /// Begins at a step: those before it count as done, with the local variables that the flow's latest run left.
    pub fn from_step(mut self, step: Option<String>) -> Session {
        self.from_step = step;
        self
    }

    /// Says what is done with rows that may have been sent by an earlier attempt at the run.
    pub fn in_doubt(mut self, in_doubt: InDoubt) -> Session {
        self.options.in_doubt = in_doubt;
        self
    }

    /// Says whether incremental steps go on from their states though their requests are others now.
    pub fn keep_state(mut self, keep: bool) -> Session {
        self.options.keeps_state = keep;
        self
    }

    /// Says whether incremental steps begin anew: their tables get what the API has, and nothing else stays.
    pub fn full_refresh(mut self, refreshes: bool) -> Session {
        self.options.refreshes = refreshes;
        self
    }

    /// Says which rows are sent again that steps which send only changes have sent before.
    pub fn resend(mut self, resends: Resends) -> Session {
        self.options.resends = resends;
        self
    }

    /// Says which range incremental steps ask for, whatever they have covered; none: what is new.
    pub fn range(mut self, range: Option<Between>) -> Session {
        self.options.range = range;
        self
    }

    /// Says how long the run may take: then it is stopped in order, and has failed.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Session {
        self.options.timeout = timeout;
        self
    }

    /// Says how long requests under way get to end in order, after the run was told to stop.
    pub fn grace(mut self, grace: Duration) -> Session {
        self.options.grace = grace;
        self
    }

    /// Adds a listener to the events of the run.
    pub fn listener(mut self, listener: Listener) -> Session {
        self.listeners.push(listener);
        self
    }

    /// Starts a run of a compiled flow. Databases and APIs that can be opened before the first step are.
    ///
    /// Must be called where a Tokio runtime of several threads is entered.
    ///
    /// # Errors
    /// What is found wrong before the first step: a setting, a server that can't be reached.
    pub async fn start(mut self, compiled: &Compiled) -> Result<RunHandle> {
        let mut plan = compiled.plan.clone();
        self.check_preview(&plan)?;
        if self.options.preview.mode.is_some() {
            plan.root = std::mem::take(&mut plan.root).only_requests();
        }
        let (own, receiver) = Listener::every();
        self.listeners.push(own);
        let plan = Arc::new(plan);
        let remembered = match self.options.preview.mode {
            None if self.options.dry_run.is_some() => {
                let is_test = self
                    .options
                    .dry_run
                    .as_ref()
                    .is_some_and(|dry_run| dry_run.is_test());
                History::dry(&self.loaded, is_test).await?
            }
            None => {
                let from = self.from_step.as_deref();
                let resumed = self.resumed.take();
                History::begin(compiled, resumed, from, &self.waiting, &self.cancel).await?
            }
            // What is only looked at is no run.
            Some(_) => History::none(&self.loaded).await?,
        };
        let (history, keeps, before, heard) = remembered.split();
        self.listeners.splice(0..0, heard);
        let started = async {
            let events = Events::new(history.run, history.attempt, std::mem::take(&mut self.listeners));
            let parts = Parts::new(&self.loaded, plan.frames, &self.options, before)?;
            let cancel = self.cancel.clone();
            let run = parts.run(&self.loaded, &plan, &self.options, keeps, events.clone(), cancel);
            parts::open_at_start(&self.loaded, &plan, &self.options, &run).await?;
            if let Some(dry_run) = &self.options.dry_run {
                dry_run.find_tables(&plan, &run).await?;
            }
            Ok((run, events))
        };
        let started: Result<_> = started.await;
        match started {
            Ok((run, events)) => {
                let timeout = self.options.timeout;
                Ok(RunHandle::start(
                    self.loaded,
                    plan,
                    run,
                    events,
                    receiver,
                    history,
                    timeout,
                ))
            }
            Err(error) => {
                history
                    .end(RunStatus::Failed, 0.0, Some(&ErrorReport::from(&error)))
                    .await?;
                Err(error)
            }
        }
    }

    /// Whether there is anything to preview.
    fn check_preview(&self, plan: &Plan) -> Result<()> {
        let preview = &self.options.preview;
        let with_record = preview.records.is_some();
        let mut requests = 0;
        plan.root.each(&mut |step| {
            if let Action::Http(http) = &step.action {
                requests += usize::from(!with_record || http.request.for_each.is_some());
            }
        });
        if requests > 0 || (preview.mode.is_none() && !with_record) {
            return Ok(());
        }
        let message = match with_record {
            true => "no http_request with a `for_each` is selected: nothing takes the test record",
            false => "no http_request is selected: there is nothing to preview",
        };
        Err(Error::new(ErrorKind::Project, message))
    }

    /// Returns the database of a source, outside of any run; of `_sequor` that of the project's own history. A database in a
    /// file is not made by this.
    ///
    /// # Errors
    /// No such source, an API, a database that can't be opened.
    pub async fn database(&mut self, source: &str) -> Result<Arc<dyn Database>> {
        self.options.files_exist = true;
        self.open_database(source).await
    }

    async fn open_database(&mut self, source: &str) -> Result<Arc<dyn Database>> {
        if source == HISTORY {
            let database = self.loaded.history_database().await?;
            self.open.push(database.clone());
            return Ok(database);
        }
        let sources = &self.loaded.compiler.sources;
        let Some(found) = sources.get(source) else {
            let error = Error::new(ErrorKind::Project, format!("no source is named `{source}`"));
            return Err(
                match did_you_mean(source, "sources", sources.keys().map(String::as_str)) {
                    Some(help) => error.help(help),
                    None => error,
                },
            );
        };
        if found.dialect().is_none() {
            let message = format!("source `{source}` is an API, and a database is needed here");
            return Err(Error::new(ErrorKind::Project, message));
        }
        let parts = Parts::new(&self.loaded, 1, &self.options, Remembered::default())?;
        let database = parts.databases.get(source, &parts.scope()).await?;
        self.open.push(database.clone());
        Ok(database)
    }

    /// Closes the databases that were opened outside of any run.
    pub async fn close(&mut self) {
        for database in self.open.drain(..) {
            database.close().await;
        }
    }

    /// Returns the rows of a query, streamed.
    ///
    /// # Errors
    /// As [`Session::database`], and what the database says.
    pub async fn query(&mut self, source: &str, sql: &str) -> Result<Rows> {
        let rows = self.database(source).await?.query(sql).await?;
        Ok(checked(rows))
    }

    /// Returns the rows of a table, named as a flow names it, streamed.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub async fn table(&mut self, source: &str, name: &str) -> Result<Rows> {
        let database = self.database(source).await?;
        let rows = database.scan(&named_table(&*database, None, None, name)?).await?;
        Ok(checked(rows))
    }

    /// Loads rows into a table, named as a flow names it: all of them or none. How many they are.
    ///
    /// # Errors
    /// As [`Session::database`]; columns that tables can't hold, a key that is none of them, what the database says.
    pub async fn load(&mut self, source: &str, name: &str, mode: &WriteMode, rows: Rows) -> Result<u64> {
        if source == HISTORY {
            let message = format!("`{HISTORY}` is the project's own history, which only runs write");
            return Err(Error::new(ErrorKind::Project, message));
        }
        self.options.files_exist = false;
        let database = self.open_database(source).await?;
        let target = named_table(&*database, None, None, name)?;
        load_rows(&*database, &target, mode, rows).await
    }

    /// Returns the parts for a look at what a plan's steps read and write, outside of a run.
    pub(super) fn look(&self, compiled: &Compiled) -> Result<Parts> {
        let frames = compiled.plan.frames;
        Parts::new(&compiled.loaded, frames, &self.options, Remembered::default())
    }
}

/// Rows that are shown or written elsewhere: what the database has, to the last digit.
fn checked(rows: Rows) -> Rows {
    let batches = rows.batches.map(|batch| {
        let batch = batch?;
        check_digits(&batch).map(|()| batch)
    });
    Rows {
        schema: rows.schema,
        batches: batches.boxed(),
    }
}
