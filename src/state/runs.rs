//! Runs: when they began, whether they still go, and how they ended.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::home::{Durability, Field, Record, Statement, Written};
use super::owner::{Owner, SILENCE};
use super::store::{Keeping, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ErrorReport, RunStatus};

/// What is known of a run when it begins.
#[derive(Debug, Clone)]
pub struct RunStart {
    pub run: Uuid,
    pub flow: String,
    pub environment: Option<String>,
    /// The version of the program.
    pub program: String,
    /// The digest of what it carries out, and that itself, as text.
    pub plan: (String, String),
    /// The variables that were given, as JSON.
    pub given: String,
    /// Digests of the kept variables that it begins with, as JSON.
    pub kept: String,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Done,
    Failed,
    Interrupted,
    /// Its process is gone, and it did not say how it ended.
    Crashed,
}

impl RunState {
    /// Every state, by the word for it.
    pub const ALL: [RunState; 5] = [
        RunState::Running,
        RunState::Done,
        RunState::Failed,
        RunState::Interrupted,
        RunState::Crashed,
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Done => "done",
            RunState::Failed => "failed",
            RunState::Interrupted => "interrupted",
            RunState::Crashed => "crashed",
        }
    }
}

/// A run that is remembered.
#[derive(Debug, Clone)]
pub struct RunRecord {
    pub run: Uuid,
    pub flow: String,
    pub state: RunState,
    /// How often it was begun: 1, and one more for each time it was gone on with.
    pub attempt: u32,
    pub started: String,
    pub seconds: Option<f64>,
    pub environment: Option<String>,
    pub program: String,
    /// The digest of what it carries out.
    pub plan: String,
    pub given: String,
    pub kept: String,
    pub error: Option<ErrorReport>,
}

/// Which runs are looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub flow: Option<String>,
    pub state: Option<RunState>,
    pub since: Option<DateTime<Utc>>,
    /// How many at most, the latest first; none: all.
    pub limit: Option<usize>,
}

/// The columns of a run, in the order that [`run`] reads.
const COLUMNS: &str = "run, flow, status, attempt, started, seconds, environment, program, plan, given, kept, owner, beat, error, @now";

/// Returns a time as the tables have it: texts that sort as the times do.
pub(super) fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn owner_text(owner: &Owner) -> String {
    // Texts and numbers: nothing in it can fail to be JSON.
    serde_json::to_string(owner).unwrap_or_default()
}

impl Store {
    /// Notes that a run begins.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn begin_run(&self, start: &RunStart, owner: &Owner) -> Result<()> {
        let (plan, text) = &start.plan;
        let plan_there = Statement::new(
            "INSERT INTO @plans (plan, text) VALUES ($1, $2) ON CONFLICT (plan) DO NOTHING",
            [plan.as_str().into(), text.as_str().into()],
        );
        let begun = Statement::new(
            "INSERT INTO @runs (run, project, flow, status, attempt, started, environment, program, plan, given, kept, owner, beat)
             VALUES ($1, $2, $3, 'running', 1, $4, $5, $6, $7, $8, $9, $10, @now)",
            [
                start.run.to_string().into(),
                (&*self.project).into(),
                start.flow.as_str().into(),
                shown(Utc::now()).into(),
                start.environment.clone().into(),
                start.program.as_str().into(),
                plan.as_str().into(),
                start.given.as_str().into(),
                start.kept.as_str().into(),
                owner_text(owner).into(),
            ],
        );
        let statements = [plan_there, begun];
        let written = self.write("run begins", &statements, Durability::Process);
        written.await?.all().map(|_| ())
    }

    /// Takes over a run that is not under way, to go on with it. Which attempt it is now.
    ///
    /// # Errors
    /// A run that is under way; a state that can't be written.
    pub async fn take_over(&self, record: &RunRecord, owner: &Owner) -> Result<u32> {
        if record.state == RunState::Running {
            let message = format!("the run {} is under way", record.run);
            return Err(Error::new(ErrorKind::Locked, message).help("wait until it has ended, or end it"));
        }
        let taken = Statement::new(
            "UPDATE @runs SET status = 'running', attempt = $1, owner = $2, beat = @now, ended = NULL, error = NULL, error_code = NULL
             WHERE run = $3 AND attempt = $4",
            [
                u64::from(record.attempt + 1).into(),
                owner_text(owner).into(),
                record.run.to_string().into(),
                u64::from(record.attempt).into(),
            ],
        );
        match self
            .write("run goes on", &[taken.guarding()], Durability::Process)
            .await?
        {
            Written::All(_) => Ok(record.attempt + 1),
            Written::Refused(_) => {
                let message = format!("another program goes on with the run {}", record.run);
                Err(Error::new(ErrorKind::Locked, message).help("wait until it has ended"))
            }
        }
    }

    /// Notes how a run ended. `seconds`: what this attempt took.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn end_run(
        &self,
        run: Uuid,
        status: RunStatus,
        seconds: f64,
        error: Option<&ErrorReport>,
    ) -> Result<()> {
        let ended = Statement::new(
            "UPDATE @runs SET status = $1, ended = $2, seconds = coalesce(seconds, 0) + $3, error_code = $4, error = $5 WHERE run = $6",
            [
                status.as_str().into(),
                shown(Utc::now()).into(),
                seconds.into(),
                error.map(|e| e.code.clone()).into(),
                error.and_then(|e| serde_json::to_string(e).ok()).into(),
                run.to_string().into(),
            ],
        );
        let ended = [ended, Store::unlocked(run)];
        let written = self.write("run ends", &ended, Durability::Process);
        written.await?.all().map(|_| ())
    }

    /// Gives a sign of life.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn beat(&self, run: Uuid) -> Result<()> {
        let beat = Statement::new(
            "UPDATE @runs SET beat = @now WHERE run = $1",
            [run.to_string().into()],
        );
        let locks = Statement::new(
            "UPDATE @locks SET beat = @now WHERE run = $1",
            [run.to_string().into()],
        );
        self.write("sign of life", &[beat, locks], Durability::Process)
            .await
            .map(|_| ())
    }

    /// Returns runs, the latest first.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn runs(&self, wanted: &Wanted) -> Result<Vec<RunRecord>> {
        let mut sql = format!("SELECT {COLUMNS} FROM @runs WHERE project = $1");
        let mut args: Vec<Field> = vec![(&*self.project).into()];
        let mut restrict = |column: &str, value: Field| {
            args.push(value);
            sql.push_str(&format!(" AND {column} ${}", args.len()));
        };
        if let Some(flow) = &wanted.flow {
            restrict("flow =", flow.as_str().into());
        }
        if let Some(since) = wanted.since {
            restrict("started >=", shown(since).into());
        }
        match wanted.state {
            // Which of them still go is seen only from here.
            Some(RunState::Running | RunState::Crashed) => restrict("status =", "running".into()),
            Some(state) => restrict("status =", state.as_str().into()),
            None => {}
        }
        sql.push_str(" ORDER BY run DESC");
        let mut found = Vec::new();
        for record in self.read(sql, args).await? {
            if wanted.limit.is_some_and(|limit| found.len() >= limit) {
                break;
            }
            let record = run(&record)?;
            if wanted.state.is_none_or(|state| state == record.state) {
                found.push(record);
            }
        }
        Ok(found)
    }

    /// Returns the run whose id begins so; none given: the latest.
    ///
    /// # Errors
    /// No such run, or several; a state that can't be read.
    pub async fn run(&self, begins: Option<&str>) -> Result<RunRecord> {
        let Some(begins) = begins else {
            let latest = Wanted {
                limit: Some(1),
                ..Wanted::default()
            };
            let none = || {
                Error::new(ErrorKind::Project, "no run of this project is remembered")
                    .help("start one: sequor run FLOW")
            };
            return self.runs(&latest).await?.pop().ok_or_else(none);
        };
        let begins = begins.trim().to_ascii_lowercase();
        let is_id = !begins.is_empty() && begins.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let mut found = match is_id {
            false => Vec::new(),
            true => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM @runs WHERE project = $1 AND run LIKE $2 ORDER BY run DESC LIMIT 9"
                );
                let args = vec![(&*self.project).into(), format!("{begins}%").into()];
                self.read(sql, args).await?
            }
        };
        match found.len() {
            0 => Err(Error::new(
                ErrorKind::Project,
                format!("no run has an id that begins with `{begins}`"),
            )
            .help("`sequor runs` lists them")),
            1 => run(&found.remove(0)),
            _ => {
                let ids: Vec<&str> = found.iter().map(|record| record[0].text()).collect();
                let message = format!("`{begins}` is the beginning of several runs: {}", ids.join(", "));
                Err(Error::new(ErrorKind::Project, message).help("write more of the id"))
            }
        }
    }

    /// Returns what a run carries out, as it was noted.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn plan_text(&self, plan: &str) -> Result<Option<String>> {
        let found = self
            .read("SELECT text FROM @plans WHERE plan = $1", vec![plan.into()])
            .await?;
        Ok(found.first().map(|row| row[0].text().to_string()))
    }

    /// Forgets runs that are over and too old, or too many. Their ids.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn prune(&self, keeping: Keeping) -> Result<Vec<String>> {
        let oldest = Utc::now()
            - chrono::Duration::from_std(keeping.time).unwrap_or(chrono::Duration::days(365 * 1000));
        let sql = "SELECT run FROM @runs WHERE project = $1 AND status <> 'running' AND (started < $2 OR run <= coalesce(
             (SELECT run FROM @runs WHERE project = $1 ORDER BY run DESC LIMIT 1 OFFSET $3), '')) ORDER BY run LIMIT 100";
        let args = vec![(&*self.project).into(), shown(oldest).into(), keeping.runs.into()];
        let old = self.read(sql, args).await?;
        let ids: Vec<String> = old.iter().map(|row| row[0].text().to_string()).collect();
        for id in &ids {
            let tables = ["steps", "events", "journal", "locals", "doubts", "runs"];
            let mut statements: Vec<Statement> = tables
                .iter()
                .map(|table| {
                    Statement::new(
                        format!("DELETE FROM @{table} WHERE run = $1"),
                        [id.as_str().into()],
                    )
                })
                .collect();
            statements.push(Statement::new(
                "DELETE FROM @plans WHERE plan NOT IN (SELECT plan FROM @runs)",
                [],
            ));
            self.write("old runs", &statements, Durability::Process).await?;
        }
        Ok(ids)
    }
}

/// How long a run goes on giving a sign of life.
pub const BEAT: Duration = Duration::from_secs(5);

fn run(record: &Record) -> Result<RunRecord> {
    let wrong = |what: &str| Error::new(ErrorKind::State, format!("a run that is remembered has {what}"));
    let [
        id,
        flow,
        status,
        attempt,
        started,
        seconds,
        environment,
        program,
        plan,
        given,
        kept,
        owner,
        beat,
        error,
        now,
    ] = record.as_slice()
    else {
        return Err(wrong("other columns"));
    };
    let goes = || {
        let owner: Option<Owner> = serde_json::from_str(owner.text()).ok();
        let silent = (now.int() - beat.int()).abs() > SILENCE;
        !owner.and_then(|owner| owner.is_gone()).unwrap_or(silent)
    };
    let state = match status.text() {
        "running" if goes() => RunState::Running,
        "running" => RunState::Crashed,
        other => RunState::ALL
            .into_iter()
            .find(|state| state.as_str() == other)
            .ok_or_else(|| wrong("a status that is none"))?,
    };
    Ok(RunRecord {
        run: id.text().parse().map_err(|_| wrong("an id that is none"))?,
        flow: flow.text().to_string(),
        state,
        attempt: u32::try_from(attempt.int()).unwrap_or(1),
        started: started.text().to_string(),
        seconds: match seconds {
            Field::Float(None) | Field::Int(None) | Field::Text(None) => None,
            seconds => Some(seconds.float()),
        },
        environment: environment.optional_text(),
        program: program.text().to_string(),
        plan: plan.text().to_string(),
        given: given.text().to_string(),
        kept: kept.text().to_string(),
        error: error
            .optional_text()
            .and_then(|text| serde_json::from_str(&text).ok()),
    })
}
