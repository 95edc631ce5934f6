//! The tables that a flow reads and does not make itself: a dry run must find them somewhere.

use std::collections::BTreeSet;

use sequor_planner::effects::Resource;
use sequor_planner::ops::Plain;
use sequor_planner::plan::{Action, Plan};

use super::dry_run::DryRun;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::Run;
use crate::sources::database::TableName;

impl DryRun {
    /// Looks for the tables that a plan reads and does not make itself.
    ///
    /// # Errors
    /// All those that are nowhere.
    pub async fn find_tables(&self, plan: &Plan, run: &Run) -> Result<()> {
        let scope = run.scope();
        let mut missing = Vec::new();
        for resource in read_first(plan) {
            let Resource::Table {
                source,
                database,
                namespace,
                table,
            } = resource
            else {
                continue;
            };
            // What is wrong with its settings is told by the step.
            let Ok(opened) = run.databases.get(source, &scope).await else {
                continue;
            };
            let name = |table: String| TableName {
                database: database.clone(),
                namespace: namespace.clone(),
                table,
            };
            // Whether it is quoted in its SQL, the plan does not say.
            let (folded, exact) = (name(opened.fold(table)), name(table.clone()));
            let there = opened.columns(&folded).await?.is_some()
                || (folded != exact && opened.columns(&exact).await?.is_some());
            let is_known = missing.iter().any(|known: &Resource| known.overlaps(resource));
            if !there && !is_known {
                missing.push(resource.clone());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let mut why = BTreeSet::new();
        for (source, database) in self.stand_ins() {
            if let (_, Some(unreachable)) = database.tables.limits().await {
                why.insert(format!("source `{source}` can't be read: {unreachable}"));
            }
        }
        let of = |resource: &Resource, end: &str, between: &str| match resource {
            Resource::Table {
                source,
                namespace,
                table,
                ..
            } => {
                let namespace = namespace
                    .as_ref()
                    .map_or(String::new(), |name| format!("{name}."));
                format!("{source}{between}{namespace}{table}{end}")
            }
            other => other.to_string(),
        };
        let names: Vec<String> = missing.iter().map(|r| format!("`{}`", of(r, "", "."))).collect();
        let files: Vec<String> = missing.iter().map(|r| of(r, ".csv", "/")).collect();
        let message = format!(
            "the flow reads tables that are nowhere to be found: {}",
            names.join(", ")
        );
        if self.is_test() {
            let tables: Vec<String> = missing
                .iter()
                .map(|r| format!("`{}: [...]`", of(r, "", ".")))
                .collect();
            return Err(Error::new(ErrorKind::Project, message)
                .help(format!("give their rows in `given`: {}", tables.join(", "))));
        }
        let why: String = why.iter().map(|why| format!("; {why}")).collect();
        Err(Error::new(ErrorKind::Project, message).help(format!(
            "give their rows by --fixtures DIR, with {} in it (or .jsonl, .parquet){why}",
            files.join(", ")
        )))
    }
}

/// The tables that a flow reads before it makes them, if it does.
pub fn read_first(plan: &Plan) -> Vec<&Resource> {
    let (mut made, mut found): (Vec<&Resource>, _) = (Vec::new(), Vec::new());
    for access in in_order(plan) {
        match access {
            Access::Writes(resource) => made.push(resource),
            Access::Reads(resource) if made.iter().any(|known| known.overlaps(resource)) => {}
            Access::Reads(resource) => found.push(resource),
        }
    }
    found
}

enum Access<'p> {
    Reads(&'p Resource),
    Writes(&'p Resource),
}

/// What the steps of a plan read and write, in the order of the flow: what a step reads before what it writes.
fn in_order(plan: &Plan) -> Vec<Access<'_>> {
    let mut all = Vec::new();
    plan.root.each(&mut |step| {
        // A step around others reads and writes what they do.
        if step.action.regions().is_empty() {
            // Statements may read what one before them makes: which, they say when they run.
            let is_execute =
                matches!(&step.action, Action::Plain(plain) if matches!(**plain, Plain::Execute(_)));
            // What is new, or has changed, is told whether the table is there or not.
            let asks = match &step.action {
                Action::Http(http) => http.asks.is_some() || http.synced.is_some(),
                Action::Plain(plain) => {
                    matches!(&**plain, Plain::Transform(transform) if transform.incremental.is_some())
                }
                _ => false,
            };
            if !is_execute {
                let reads = step.reads.iter();
                all.extend(
                    reads
                        .filter(|read| !(asks && step.writes.contains(read)))
                        .map(Access::Reads),
                );
            }
            all.extend(step.writes.iter().map(Access::Writes));
        }
    });
    all
}
