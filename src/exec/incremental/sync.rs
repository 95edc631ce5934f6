//! The states of an incremental step: read when it begins, written with each commit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sequor_planner::ops::{Columns, lead};
use sequor_planner::plan::HttpStep;
use serde_json::json;

use super::settings::evaluated;
use super::state::{Owner, TableState, as_written, digest};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::load::table::table_name;
use crate::incremental::{KeepsState, Kind, Known, Ranges, Round, Settings, StateRows, Tracker, kind_of};

/// An incremental step at work.
pub struct Sync {
    settings: Settings,
    kind: Option<Kind>,
    /// One for each table of the response, in its order.
    states: Mutex<Vec<TableState>>,
    /// What was covered by all of them when the step began.
    known: Arc<Known>,
    /// The table that has the cursor, and the cursor's column.
    lead: (usize, String),
    definition: String,
}

impl Sync {
    /// Reads the states of a step's tables; none where it is not incremental. `is_run`: it is no look at a request.
    ///
    /// # Errors
    /// The databases'; a state that was written by another definition of the step.
    pub async fn begin(step: &StepContext, http: &HttpStep, is_run: bool) -> Result<Option<Arc<Sync>>> {
        let request = &http.request.request;
        let (Some(given), Some(asks)) = (&request.incremental, &http.asks) else {
            return Ok(None);
        };
        let response = &http.request.response;
        let Some((at, column)) = lead(response, given) else {
            return Err(Error::new(ErrorKind::Internal, "no table has the cursor"));
        };
        let table = &response.tables[at];
        let database = step.database(&table.target.source).await?;
        let name = table_name(step, &table.target).await?;
        let declared = match &table.columns {
            Columns::Declared(columns) => columns
                .iter()
                .find(|declared| declared.name == column)
                .map(|declared| database.column_type(&declared.sql_type).map(|found| found.arrow))
                .transpose()?,
            _ => {
                let there = database.columns(&name).await?.unwrap_or_default();
                let found = database.naming().find(&there, &database.fold(column));
                found.map(|column| column.column_type.arrow.clone())
            }
        };
        let of = |kind| kind_of(kind, given).map_err(|e| e.at(&given.place));
        let column_kind = declared.as_ref().map(of).transpose()?;
        let (settings, kind) = evaluated(step, (given, asks), column_kind).await?;
        let definition = definition(http);
        let owner = Owner {
            project: step.run.plan.project.clone(),
            flow: step.run.plan.flow.clone(),
            step: step.id().to_string(),
        };
        let mut states = Vec::with_capacity(response.tables.len());
        for table in &response.tables {
            let database = step.database(&table.target.source).await?;
            let name = table_name(step, &table.target).await?;
            let state = TableState::read(database, name, owner.clone(), kind).await;
            let mut state = state.map_err(|e| e.at(&given.place))?;
            if is_run {
                state.forget_stale().await?;
            }
            if state.definitions.iter().any(|known| *known != definition) {
                if !step.run.keeps_state {
                    let message = format!(
                        "its request is another one than that by which `{}` was filled, so that what it got is not what it would get now",
                        state.target
                    );
                    return Err(Error::new(ErrorKind::Project, message)
                        .help(format!(
                            "sequor run {0} --keep-state goes on from where it is; sequor state reset {0} {1} begins anew",
                            step.run.plan.flow,
                            step.id()
                        ))
                        .at(&given.place));
                }
                state.redefine(&definition).await?;
            }
            states.push(state);
        }
        // Without a kind nothing is known yet, not even a state.
        let kind = kind.or_else(|| states.iter().find_map(kind_of_state));
        Ok(Some(Arc::new(Sync {
            settings,
            kind,
            known: Arc::new(known_by_all(&states)),
            states: Mutex::new(states),
            lead: (at, column.to_string()),
            definition,
        })))
    }

    fn states(&self) -> MutexGuard<'_, Vec<TableState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the round in which each is asked for the window of this number, of what was missing when the step began.
    pub fn round(self: Arc<Sync>, number: usize) -> Keeps {
        let round = Round::new(self.settings.clone(), self.kind, &self.known, number);
        Keeps {
            round: Arc::new(round),
            sync: self,
        }
    }
}

/// A round of a step, for the load that it fills.
pub struct Keeps {
    pub sync: Arc<Sync>,
    pub round: Arc<Round>,
}

impl KeepsState for Keeps {
    fn tracker(&self, table: usize) -> Option<Arc<Tracker>> {
        let (lead, column) = &self.sync.lead;
        (*lead == table).then(|| Arc::new(Tracker::new(&self.round, column)))
    }

    fn rows(&self, table: usize) -> Result<Option<StateRows>> {
        let states = self.sync.states();
        let Some(state) = states.get(table) else {
            return Ok(None);
        };
        let covered = self.round.covered(&state.known);
        if covered.is_empty() {
            return Ok(None);
        }
        let now = self.sync.settings.now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        state.rows(&covered, &self.sync.definition, &now).map(Some)
    }

    fn committed(&self, table: usize) {
        if let Some(state) = self.sync.states().get_mut(table) {
            let covered = self.round.covered(&state.known);
            if !covered.is_empty() {
                state.committed(covered);
            }
        }
    }
}

/// What is covered in each of the tables.
fn known_by_all(states: &[TableState]) -> Known {
    let Some((first, others)) = states.split_first() else {
        return Known::new();
    };
    let mut known = first.known.clone();
    for state in others {
        known = known
            .into_iter()
            .filter_map(|(part, ranges)| Some((part.clone(), ranges.and(state.known.get(&part)?))))
            .collect();
    }
    known
}

fn kind_of_state(state: &TableState) -> Option<Kind> {
    let (_, to) = state
        .known
        .values()
        .find_map(|ranges: &Ranges| ranges.iter().next())?;
    Some(Kind::like(&to.to_string()))
}

/// A digest of what decides which rows a request gets, as it is written.
fn definition(http: &HttpStep) -> String {
    let request = &http.request.request;
    let given = request.incremental.as_ref();
    let tables = http.request.response.tables.iter();
    let text = json!({
        "source": request.source,
        "url": request.url,
        "method": request.method,
        "path_parameters": request.path_parameters,
        "parameters": request.parameters,
        "body": request.body,
        "cursor": given.map(|given| &given.cursor),
        "format": given.map(|given| &given.format),
        "start_param": given.map(|given| &given.start_param),
        "end_param": given.map(|given| &given.end_param),
        "rows": tables.map(|table| json!([table.data_path, table.listed, table.data])).collect::<Vec<_>>(),
    });
    digest(&[&as_written(text).to_string()])
}
