//! The states of an incremental step: read when it begins, written with each commit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sequor_planner::ops::{INCREMENTAL_IN_LOOP, lead, passing_columns};
use sequor_planner::plan::HttpStep;

use super::common::{kind_of, kind_of_states, known_by_all, parents_of_all};
use super::definition::{Definition, definition};
use super::noted::request_mark;
use super::recorded::{Recorded, written_time};
use super::settings::{Evaluated, column_kind, initial};
use super::state::{Owner, TableState};
use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::load::table::table_name;
use crate::incremental::{KeepsState, Kind, Known, Parents, Round, Settings, StateRows, Tracker, overlap};
use crate::sources::overlap::Overlap;
use crate::world::World;

/// An incremental step at work.
pub struct Sync {
    settings: Settings,
    kind: Option<Kind>,
    /// One for each table of the response, in its order.
    states: Mutex<Vec<TableState>>,
    /// What was covered by all of them when the step began, or was renewed.
    known: Mutex<Arc<Known>>,
    /// What a recorded run began with, and what was committed since: where recordings answer, in place of what the tables have.
    replayed: Mutex<Option<Known>>,
    /// The cursors that rows had themselves then.
    parents: Arc<Parents>,
    /// Whether what the tables have is still to go.
    anew: AtomicBool,
    /// The table that has the cursor, and the cursor's column.
    lead: (usize, String),
    /// Columns of that table whose values are others each time that a row comes.
    passing: Vec<String>,
    definition: Definition,
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
        if step.scope.is_in_round() {
            // The flow was not known before it was called.
            let (message, help) = INCREMENTAL_IN_LOOP;
            return Err(Error::new(ErrorKind::Project, message)
                .help(help)
                .at(&given.place));
        }
        let response = &http.request.response;
        let Some((at, column)) = lead(response, given) else {
            return Err(Error::new(ErrorKind::Internal, "no table has the cursor"));
        };
        let apis = &step.run.apis;
        let replayed = match apis.replayed_state(step.id()) {
            Some(file) => Recorded::read(&file).await?.map(|recorded| (file, recorded)),
            None => None,
        };
        let now = match &replayed {
            Some((file, recorded)) => recorded.now(file)?,
            None => step.scope.now(),
        };
        let recorded_range = || replayed.as_ref().and_then(|(_, recorded)| recorded.between());
        let table = &response.tables[at];
        let database = step.database(&table.target.source).await?;
        let name = table_name(step, &table.target).await?;
        let evaluated = Evaluated {
            given,
            asks,
            rows: http.request.for_each.as_ref(),
            mode: &table.write_mode,
            initial: initial(step, given).await?,
            between: step.run.range.as_ref().or_else(recorded_range),
            column: column_kind(&*database, &name, (table, column), given).await?,
            refresh: step.run.refreshes,
            now,
        };
        let (settings, kind) = evaluated.settings()?;
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
                state.prepare().await?;
            }
            if step.run.refreshes {
                state.begin_anew();
            }
            if let Some((file, recorded)) = replayed.as_ref().filter(|_| is_run && step.run.dry.is_none()) {
                recorded
                    .check_is_latest(&state, file)
                    .map_err(|e| e.at(&given.place))?;
            }
            if state.definitions.iter().any(|known| !definition.is(known)) {
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
                state.redefine(&definition.text).await?;
            }
            states.push(state);
        }
        if is_run && states.iter().any(|state| !state.definitions.is_empty()) {
            note(step, &definition.text).await?;
        }
        // Without a kind nothing is known yet, not even a state.
        let kind = kind.or_else(|| kind_of_states(&states));
        let (known, parents) = match &replayed {
            Some((file, recorded)) => recorded.known(kind, file)?,
            None => (known_by_all(&states), parents_of_all(&states)),
        };
        let kind = kind.or_else(|| kind_of(&known));
        if let Some(file) = apis.recorded_state(step.id()).filter(|_| is_run) {
            let asked = (now, step.run.range.as_ref());
            Recorded::of(asked, &known, &parents).write(&file).await?;
        }
        Ok(Some(Arc::new(Sync {
            settings,
            kind,
            replayed: Mutex::new(replayed.map(|_| known.clone())),
            known: Mutex::new(Arc::new(known)),
            parents: Arc::new(parents),
            anew: AtomicBool::new(step.run.refreshes),
            states: Mutex::new(states),
            lead: (at, column.to_string()),
            passing: passing_columns(table),
            definition,
        })))
    }

    fn states(&self) -> MutexGuard<'_, Vec<TableState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replayed(&self) -> MutexGuard<'_, Option<Known>> {
        self.replayed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that its tables are filled by its request now.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn note_request(&self, step: &StepContext) -> Result<()> {
        note(step, &self.definition.text).await
    }

    /// Takes what was committed since for covered. Whether it is more than before.
    pub fn renew(&self) -> bool {
        let known = match &*self.replayed() {
            Some(known) => known.clone(),
            None => known_by_all(self.states().iter()),
        };
        let mut before = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_more = **before != known;
        *before = Arc::new(known);
        is_more
    }

    /// Returns the round in which each is asked for the window of this number, of what was missing when the step began.
    pub fn round(self: Arc<Sync>, number: usize) -> Keeps {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let anew = self.anew.load(Ordering::Relaxed);
        let round = Round::new(
            self.settings.clone(),
            self.kind,
            (&known, &self.parents),
            (number, anew),
        );
        Keeps {
            round: Arc::new(round),
            sync: self,
            written: Mutex::default(),
        }
    }
}

/// A round of a step, for the load that it fills.
pub struct Keeps {
    pub sync: Arc<Sync>,
    pub round: Arc<Round>,
    /// What is on its way into the states, by table.
    written: Mutex<HashMap<usize, (Known, Parents)>>,
}

impl Keeps {
    fn written(&self) -> MutexGuard<'_, HashMap<usize, (Known, Parents)>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeepsState for Keeps {
    fn tracker(&self, table: usize) -> Option<Arc<Tracker>> {
        let (lead, column) = &self.sync.lead;
        (*lead == table).then(|| Arc::new(Tracker::new(&self.round, column)))
    }

    fn overlap(&self, table: usize, columns: &[Column]) -> Result<Option<Overlap>> {
        if self.round.begins_anew() {
            return Ok(Some(Overlap::delete_all()));
        }
        let (lead, cursor) = &self.sync.lead;
        match *lead == table {
            true => overlap(&self.round, (cursor, &self.sync.passing), columns),
            false => Ok(None),
        }
    }

    fn rows(&self, table: usize) -> Result<Option<StateRows>> {
        let states = self.sync.states();
        let Some(state) = states.get(table) else {
            return Ok(None);
        };
        let mut covered = self.round.covered(&state.known);
        let anew = self.round.begins_anew();
        let parents = self.round.parents();
        if !anew {
            // Of whom nothing is new nothing is written.
            covered.retain(|part, ranges| {
                let is_known = state.known.get(part) == Some(ranges);
                let moved = parents
                    .get(part)
                    .is_some_and(|new| state.parents.get(part) != Some(new));
                !is_known || moved
            });
        }
        if covered.is_empty() && !anew {
            return Ok(None);
        }
        let now = written_time(self.sync.settings.now);
        let rows = state.rows((&covered, &parents), &self.sync.definition.text, &now)?;
        self.written().insert(table, (covered, parents));
        Ok(Some(match anew {
            true => state.without_others(rows),
            false => rows,
        }))
    }

    fn committed(&self, table: usize) {
        let written = self.written().remove(&table);
        if let (Some(state), Some((covered, parents))) = (self.sync.states().get_mut(table), written) {
            state.committed(covered, parents);
        }
        self.sync.anew.store(false, Ordering::Relaxed);
        if let Some(known) = &mut *self.sync.replayed() {
            let covered = self.round.covered(known);
            known.extend(covered);
        }
    }
}

/// Notes by which request the tables of a step are filled.
async fn note(step: &StepContext, definition: &str) -> Result<()> {
    let run = &step.run;
    let Some(state) = run.state.as_ref().filter(|_| run.dry.is_none()) else {
        return Ok(());
    };
    let mark = request_mark(run.environment.as_deref(), &run.plan.flow, step.id());
    state.keep_mark(&mark, definition).await
}
