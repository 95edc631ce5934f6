//! How far incremental steps got: looked at, and forgotten.

use sequor_planner::expr::Prop;
use sequor_planner::ops::TableRef;
use sequor_planner::plan::Action;
use serde::Serialize;

use super::compile::Compiled;
use super::parts::Parts;
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::named_table;
use crate::exec::{Owner, TableState};

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
        let forgotten = self.forget(&parts, compiled, (step, partition)).await;
        parts.close().await;
        forgotten
    }

    async fn forget(
        &self,
        parts: &Parts,
        compiled: &Compiled,
        (step, partition): (Option<&str>, Option<&str>),
    ) -> Result<u64> {
        let mut count = 0;
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
            None if states.is_empty() => Err(not_incremental(compiled, wanted)),
            None => Ok(states),
        }
    }
}

fn not_incremental(compiled: &Compiled, step: Option<&str>) -> Error {
    let message = match step {
        Some(step) => format!("flow {} has no incremental step `{step}`", compiled.plan.flow),
        None => format!("flow {} has no incremental step", compiled.plan.flow),
    };
    Error::new(ErrorKind::Project, message).help("a step is incremental by `request.incremental`")
}

async fn state(parts: &Parts, compiled: &Compiled, step: &str, table: &TableRef) -> Result<TableState> {
    let scope = parts.scope();
    let database = parts.databases.get(&table.source, &scope).await?;
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
            let message = format!("which table step {step} fills is only known when it runs");
            return Err(Error::new(ErrorKind::Project, message)
                .help("its state is in the table _sequor_state beside it")
                .at(&table.place));
        }
    };
    let name = named_table(&*database, database_name, namespace, name)?;
    let owner = Owner {
        project: compiled.plan.project.clone(),
        flow: compiled.plan.flow.clone(),
        step: step.to_string(),
    };
    TableState::read(database, name, owner, None).await
}
