//! Checking a project without running anything.

use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::{Code, Diagnostic, Diagnostics, PlanOptions};

use super::changed_requests;
use super::compile::{CompileError, Loaded, check_jinja2};
use super::project::Project;
use crate::error::Result;
use crate::value::Value;

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// Errors and warnings, by file and line.
    pub found: Vec<Diagnostic>,
    /// How many flows were checked.
    pub flows: usize,
}

impl Project {
    /// Checks one flow, or all flows and sources: every mistake, not just the first.
    ///
    /// # Errors
    /// Variables kept from earlier runs that can't be read; no interpreter, where templates need one.
    pub async fn check(
        self: &Arc<Self>,
        variables: IndexMap<String, Value>,
        flow: Option<&str>,
    ) -> Result<Checked> {
        let mut d = Diagnostics::default();
        let mut flows = 0;
        if let Some(loaded) = self.load(variables, &mut d)? {
            let loaded = connected(loaded, &mut d).await;
            let names: Vec<String> = match flow {
                Some(flow) => vec![flow.to_string()],
                None => {
                    loaded.compiler.check_sources(&mut d);
                    loaded.compiler.flows().map(str::to_string).collect()
                }
            };
            let mut plans = Vec::with_capacity(names.len());
            for flow in &names {
                // Nothing is selected, so that nothing can be missing.
                let plan = loaded.plan(flow, &PlanOptions::default(), &mut d, &mut |_, _| {});
                plans.extend(plan.ok().flatten());
            }
            changed_requests::warn(&loaded, &plans, &mut d).await;
            flows = names.len();
        }
        check_jinja2(&mut d).await?;
        Ok(Checked {
            found: d.into_sorted(),
            flows,
        })
    }

    /// Reads the files of a project, to use its sources without a flow.
    ///
    /// # Errors
    /// Mistakes in the project's files; variables kept from earlier runs that can't be read.
    pub async fn ready(self: &Arc<Self>, variables: IndexMap<String, Value>) -> Result<Loaded, CompileError> {
        let mut d = Diagnostics::default();
        let loaded = self.load(variables, &mut d)?;
        match loaded.filter(|_| !d.has_errors()) {
            Some(loaded) => Ok(loaded.connected().await?),
            None => Err(CompileError::Findings(d.into_sorted())),
        }
    }
}

/// What is kept in a database is known only where that can be reached.
async fn connected(loaded: Loaded, d: &mut Diagnostics) -> Loaded {
    match loaded.clone().connected().await {
        Ok(connected) => connected,
        Err(error) => {
            let message = format!("variables that are kept are not known: {error}");
            d.warning(Code::UnknownVariable, error.place().cloned(), message);
            loaded
        }
    }
}
