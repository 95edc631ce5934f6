//! What an incremental step has covered, as it is told.

use chrono::Utc;
use sequor_planner::expr::Prop;
use sequor_planner::ops::lead;
use sequor_planner::plan::{Action, HttpStep};

use super::compile::Compiled;
use super::for_each_rows::first_of;
use super::parts::Parts;
use super::session::Session;
use super::step_states::{found, is_partition, keeps_state, state};
use super::turns::apart;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{column_kind, definition};
use crate::incremental::{Kind, Known, Partitioning, Ranges};
use crate::value::Value;

/// Partitions that an error shows.
const SHOWN: usize = 3;

/// What a step has covered.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    pub step: &'a str,
    /// None: the step has no for_each.
    pub partition: Option<&'a str>,
    /// None: from the first row on.
    pub from: Option<&'a str>,
    pub until: &'a str,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct SetState {
    /// Of which partition it is the state, as JSON; empty without a for_each.
    pub partition: String,
    /// Why nobody knows whether a row of the for_each is that partition.
    pub unchecked: Option<String>,
}

impl Session {
    /// Says what a step has covered, in each of its tables.
    ///
    /// # Errors
    /// A step that is not incremental, positions that are none of its cursor, tables that are not there; the databases'.
    pub async fn set_state(&self, compiled: &Compiled, covered: Covered<'_>) -> Result<SetState> {
        keeps_state(compiled, Some(covered.step))?;
        let mut step = None;
        compiled.plan.root.each(&mut |found| {
            if let Action::Http(http) = &found.action
                && found.id == covered.step
                && http.asks.is_some()
            {
                step.get_or_insert_with(|| http.clone());
            }
        });
        let Some(http) = step else {
            let message = format!(
                "step `{}` is not incremental: what it has sent is in its snapshot",
                covered.step
            );
            return Err(
                Error::new(ErrorKind::Project, message).help("`baseline: true` takes all rows for sent")
            );
        };
        let parts = self.look(compiled)?;
        let set = apart(compiled, async || set(&parts, compiled, &http, covered).await).await;
        parts.close().await;
        set
    }
}

async fn set(parts: &Parts, compiled: &Compiled, http: &HttpStep, covered: Covered<'_>) -> Result<SetState> {
    let response = &http.request.response;
    let Some(given) = &http.request.request.incremental else {
        return Ok(SetState::default());
    };
    let Some((at, column)) = lead(response, given) else {
        return Err(Error::new(ErrorKind::Internal, "no table has the cursor"));
    };
    if http.request.for_each.is_some() != covered.partition.is_some() {
        let (message, help) = match covered.partition {
            None => (
                "each row of the for_each has a state of its own",
                "add --partition, as `sequor state list` shows it",
            ),
            Some(_) => (
                "the step has no for_each, and so one state",
                "leave --partition out",
            ),
        };
        return Err(Error::new(ErrorKind::Project, message).help(help));
    }
    let table = &response.tables[at];
    let (database, name) = found(parts, covered.step, &table.target).await?;
    let kind = column_kind(&*database, &name, (table, column), given).await?;
    let initial = match &given.initial {
        Some(Prop::Literal(json)) => Some(Kind::like(&Value::from(json).to_text())),
        _ => None,
    };
    let kind = Kind::of_cursor(kind, initial).unwrap_or_else(|| Kind::like(covered.until));
    let read = |text: &str| {
        kind.read(text).ok_or_else(|| {
            let message = format!("`{text}`: the cursor `{}` holds {}", given.cursor, kind.name());
            Error::new(ErrorKind::Project, message)
        })
    };
    let (from, until) = (covered.from.map(read).transpose()?, read(covered.until)?);
    if from.as_ref().is_some_and(|from| *from > until) {
        let message = format!(
            "--from {} lies behind --until {}",
            covered.from.unwrap_or_default(),
            covered.until
        );
        return Err(Error::new(ErrorKind::Project, message));
    }
    if kind.at(Utc::now()).is_some_and(|now| until > now) {
        let message = format!(
            "--until {} lies in the future: what comes until then would never be asked for",
            covered.until
        );
        return Err(Error::new(ErrorKind::Project, message).help("say until when the table has the rows"));
    }
    let mut ranges = Ranges::default();
    ranges.add((from, until));
    let (definition, now) = (
        definition(http).text,
        Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    let of = match covered.partition {
        None => SetState::default(),
        Some(text) => partition(parts, compiled, http, (covered.step, text)).await?,
    };
    // One after the other: several may be of one table of states.
    for table in &response.tables {
        let mut state = state(parts, compiled, covered.step, &table.target).await?;
        let covered = Known::from([(of.partition.clone(), ranges.clone())]);
        state.set(covered, &definition, &now).await?;
    }
    Ok(of)
}

/// Finds out which partition is meant: one of a row of the for_each, or one that has a state.
///
/// # Errors
/// No row is it; the databases'.
async fn partition(
    parts: &Parts,
    compiled: &Compiled,
    http: &HttpStep,
    (step, text): (&str, &str),
) -> Result<SetState> {
    let found = |partition: String| SetState {
        partition,
        unchecked: None,
    };
    for table in &http.request.response.tables {
        let state = state(parts, compiled, step, &table.target).await?;
        if let Some(known) = state.known.keys().find(|known| is_partition(known, text)) {
            return Ok(found(known.clone()));
        }
    }
    let request = &http.request;
    let (Some(given), Some(asks), Some(rows)) = (&request.request.incremental, &http.asks, &request.for_each)
    else {
        return Ok(SetState::default());
    };
    let partitioning = Partitioning {
        given,
        asks,
        variable: &rows.variable,
    };
    let mut others = Vec::new();
    let looked = first_of(parts, rows, |row| {
        let partition = partitioning.partition_of(row)?;
        let is_it = is_partition(&partition, text);
        if !is_it && others.len() < SHOWN && !others.contains(&partition) {
            others.push(partition.clone());
        }
        Ok(is_it.then_some(partition))
    });
    match looked.await {
        Ok(Some(partition)) => Ok(found(partition)),
        Ok(None) => {
            let help = match others.is_empty() {
                true => "it has no rows".to_string(),
                false => format!("its rows are, among others: {}", others.join(", ")),
            };
            let message = format!("no row of the for_each is the partition {}", as_partition(text));
            Err(Error::new(ErrorKind::Project, message).help(help))
        }
        Err(why) => Ok(SetState {
            partition: as_partition(text),
            unchecked: Some(why.to_string()),
        }),
    }
}

/// A partition as JSON: a text that is none is one of its own.
fn as_partition(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.to_string(),
        Err(_) => serde_json::Value::from(text).to_string(),
    }
}
