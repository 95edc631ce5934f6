//! How far incremental steps got: looked at, and forgotten.

use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::ops::TableRef;
use sequor_planner::plan::Action;
use serde::Serialize;

use super::changed_requests::forget;
use super::compile::Compiled;
use super::parts::Parts;
use super::session::Session;
use super::turns::apart;
use crate::changes::Kept;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Owner, TableState, named_table, scope_of};
use crate::sources::database::{Database, TableName};

/// What a step that sends only changes has sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepSent {
    pub step: String,
    /// The table of what was sent, with its source.
    pub table: String,
    /// Rows that the API has.
    pub rows: u64,
    /// Rows of them of which nobody knows whether they were sent.
    pub in_doubt: u64,
}

/// What one part of a step has covered in one of its tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepState {
    pub step: String,
    /// The table, with its source.
    pub table: String,
    /// The row of the for_each, as JSON; empty without one.
    pub partition: String,
    /// The ranges, ends included; without a start from the first row on.
    pub covered: Vec<(Option<String>, String)>,
}

impl Session {
    /// Returns how far the incremental steps of a flow got, in the order of the flow.
    ///
    /// # Errors
    /// As assembling the session; the databases'.
    pub async fn states(&self, compiled: &Compiled) -> Result<Vec<StepState>> {
        keeps_state(compiled, None)?;
        let parts = self.look(compiled)?;
        let states = self.table_states(&parts, compiled, None).await;
        parts.close().await;
        let mut found = Vec::new();
        for (step, source, state) in states? {
            let mut parts: Vec<_> = state.known.iter().collect();
            parts.sort_by_key(|(part, _)| *part);
            found.extend(parts.into_iter().map(|(part, ranges)| {
                StepState {
                    step: step.clone(),
                    table: format!("{source}.{}", state.target),
                    partition: part.clone(),
                    covered: ranges
                        .iter()
                        .map(|(from, to)| (from.as_ref().map(ToString::to_string), to.to_string()))
                        .collect(),
                }
            }));
        }
        Ok(found)
    }

    /// Forgets how far incremental steps of a flow got: of one step, or of one part of it. How many states there were.
    ///
    /// # Errors
    /// A step that is not there, or not incremental; as [`Session::states`].
    pub async fn forget_states(
        &self,
        compiled: &Compiled,
        step: Option<&str>,
        partition: Option<&str>,
    ) -> Result<u64> {
        let parts = self.look(compiled)?;
        let work = async || self.forget(&parts, compiled, (step, partition)).await;
        let forgotten = apart(compiled, work).await;
        parts.close().await;
        if forgotten.is_ok() && partition.is_none() {
            forget(compiled, step).await?;
        }
        forgotten
    }

    async fn forget(
        &self,
        parts: &Parts,
        compiled: &Compiled,
        (step, partition): (Option<&str>, Option<&str>),
    ) -> Result<u64> {
        keeps_state(compiled, step)?;
        let mut count = match partition {
            None => self.forget_sent(parts, compiled, step).await?,
            Some(_) => 0,
        };
        let found = self.table_states(parts, compiled, step).await?;
        for (_, _, mut state) in found {
            let known = state.known.len();
            // A text, as people write it, is known as JSON has it.
            let quoted = partition.map(|part| serde_json::Value::from(part).to_string());
            let part = match partition {
                Some(part) if state.known.contains_key(part) => Some(part),
                Some(_) => quoted
                    .as_deref()
                    .filter(|quoted| state.known.contains_key(*quoted)),
                None => None,
            };
            let here = match partition {
                None => known,
                Some(_) => usize::from(part.is_some()),
            };
            if here > 0 {
                state.forget(part).await?;
            }
            count += here as u64;
        }
        match partition {
            Some(partition) if count == 0 => {
                let message = format!("nothing is kept of a partition `{partition}`");
                Err(Error::new(ErrorKind::Project, message)
                    .help(format!("sequor state list {} shows them", compiled.plan.flow)))
            }
            _ => Ok(count),
        }
    }

    /// The states of tables, with their steps and sources.
    async fn table_states(
        &self,
        parts: &Parts,
        compiled: &Compiled,
        wanted: Option<&str>,
    ) -> Result<Vec<(String, String, TableState)>> {
        let mut tables: Vec<(String, TableRef)> = Vec::new();
        compiled.plan.root.each(&mut |step| {
            if let Action::Http(http) = &step.action
                && http.request.request.incremental.is_some()
                && wanted.is_none_or(|wanted| wanted == step.id)
            {
                let targets = http.request.response.tables.iter();
                tables.extend(targets.map(|table| (step.id.clone(), table.target.clone())));
            }
        });
        let mut states = Vec::new();
        let mut failed = None;
        for (step, table) in tables {
            match state(parts, compiled, &step, &table).await {
                Ok(state) => states.push((step, table.source.clone(), state)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(states),
        }
    }

    /// Returns what steps of a flow that send only changes have sent, in the order of the flow.
    ///
    /// # Errors
    /// As [`Session::states`].
    pub async fn sent(&self, compiled: &Compiled) -> Result<Vec<StepSent>> {
        let parts = self.look(compiled)?;
        let mut all = Ok(Vec::new());
        for (step, source, table) in snapshots(compiled, None) {
            let found = async {
                let (database, name) = found(&parts, &step, &table).await?;
                let scope = scope_of(compiled.names(), &compiled.plan.flow, &step);
                let kept = Kept::new(database, name, scope);
                let table = format!("{source}.{}", kept.table);
                let sent = kept.count().await?;
                Ok(sent.map(|(rows, in_doubt)| StepSent {
                    step: step.clone(),
                    table,
                    rows,
                    in_doubt,
                }))
            };
            match (found.await, &mut all) {
                (Ok(sent), Ok(all)) => all.extend(sent),
                (Err(error), _) => {
                    all = Err(error);
                    break;
                }
                _ => {}
            }
        }
        parts.close().await;
        all
    }

    /// Forgets what steps of a flow that send only changes have sent. How many steps.
    async fn forget_sent(&self, parts: &Parts, compiled: &Compiled, step: Option<&str>) -> Result<u64> {
        let mut count = 0;
        for (step, _, table) in snapshots(compiled, step) {
            let (database, name) = found(parts, &step, &table).await?;
            let scope = scope_of(compiled.names(), &compiled.plan.flow, &step);
            count += u64::from(Kept::new(database, name, scope).forget().await?);
        }
        Ok(count)
    }
}

/// The tables of what steps have sent, with the steps and their sources.
fn snapshots(compiled: &Compiled, wanted: Option<&str>) -> Vec<(String, String, TableRef)> {
    let mut tables = Vec::new();
    compiled.plan.root.each(&mut |step| {
        if let Action::Http(http) = &step.action
            && let Some(synced) = &http.synced
            && wanted.is_none_or(|wanted| wanted == step.id)
        {
            tables.push((
                step.id.clone(),
                synced.snapshot.source.clone(),
                synced.snapshot.clone(),
            ));
        }
    });
    tables
}

/// # Errors
/// No step of the flow, or not this one, keeps a state.
pub fn keeps_state(compiled: &Compiled, wanted: Option<&str>) -> Result<()> {
    let mut keeps = false;
    compiled.plan.root.each(&mut |step| {
        if let Action::Http(http) = &step.action {
            let is_one = http.asks.is_some() || http.synced.is_some();
            keeps |= is_one && wanted.is_none_or(|wanted| wanted == step.id);
        }
    });
    match keeps {
        true => Ok(()),
        false => Err(no_state(compiled, wanted)),
    }
}

/// What is said of a flow whose steps, or this one of them, keep no state.
fn no_state(compiled: &Compiled, wanted: Option<&str>) -> Error {
    let flow = &compiled.plan.flow;
    let message = match wanted {
        Some(step) => format!("flow {flow} has no step `{step}` that keeps a state"),
        None => format!("flow {flow} has no step that keeps a state"),
    };
    Error::new(ErrorKind::Project, message)
        .help("a step keeps one by `request.incremental`, or by `for_each.changes`")
}

/// Tells whether a partition is meant by a text: as JSON has it, or as people write it.
pub fn is_partition(partition: &str, text: &str) -> bool {
    let json = serde_json::Value::from(text).to_string();
    partition == text || partition == json
}

pub(super) async fn state(
    parts: &Parts,
    compiled: &Compiled,
    step: &str,
    table: &TableRef,
) -> Result<TableState> {
    let (database, name) = found(parts, step, table).await?;
    let owner = Owner {
        project: compiled.plan.project.clone(),
        flow: compiled.plan.flow.clone(),
        step: step.to_string(),
    };
    TableState::read(database, name, owner, None).await
}

/// Returns a table whose name is known, and its database.
pub(super) async fn found(
    parts: &Parts,
    step: &str,
    table: &TableRef,
) -> Result<(Arc<dyn Database>, TableName)> {
    let database = parts.databases.get(&table.source, &parts.scope()).await?;
    let text = |prop: &Option<Prop>| prop.as_ref().map(|prop| prop.as_text().map(str::to_string));
    let known = (
        text(&table.database),
        text(&table.namespace),
        table.table.as_text(),
    );
    let (database_name, namespace, name) = match known {
        (None | Some(Some(_)), None | Some(Some(_)), Some(name)) => {
            (known.0.flatten(), known.1.flatten(), name)
        }
        _ => {
            let message = format!("where step {step} keeps its state is only known when it runs");
            return Err(Error::new(ErrorKind::Project, message)
                .help("it is in the table _sequor_state beside the one that it fills, or in that of `changes.snapshot`")
                .at(&table.place));
        }
    };
    let name = named_table(&*database, database_name, namespace, name)?;
    Ok((database, name))
}
