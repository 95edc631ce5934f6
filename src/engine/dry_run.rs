//! Dry runs: how one is made, which tables it needs, and what came out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use sequor_planner::effects::Resource;
use sequor_planner::ops::Plain;
use sequor_planner::plan::{Action, Plan};
use tempfile::TempDir;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{DryReport, DryTable};
use crate::exec::{Dry, Run};
use crate::sources::database::TableName;
use crate::stand_in::Tables;

/// How a dry run is made.
#[derive(Debug, Clone)]
pub struct DryOptions {
    /// Rows of each table that are read from its real database.
    pub sample: u64,
    /// A folder with tables as files: `<source>/<table>.csv`, `.jsonl` or `.parquet`.
    pub fixtures: Option<PathBuf>,
    /// Whether nothing is asked of servers.
    pub offline: bool,
}

/// A dry run: nothing that it does is seen outside of it.
pub struct DryRun {
    pub(super) options: DryOptions,
    /// None when it is over.
    folder: Mutex<Option<TempDir>>,
    pub(super) path: PathBuf,
    stand_ins: Mutex<Vec<(String, Arc<Tables>)>>,
    pub(super) dry: Arc<Dry>,
}

impl DryRun {
    /// Prepares a dry run.
    ///
    /// # Errors
    /// A folder for its tables that can't be made; one of fixtures that is not there.
    pub fn new(options: DryOptions) -> Result<Arc<DryRun>> {
        if let Some(fixtures) = options.fixtures.as_ref().filter(|folder| !folder.is_dir()) {
            let message = format!("there is no folder {}", fixtures.display());
            return Err(Error::new(ErrorKind::Project, message).help(
                "--fixtures names a folder with a folder for each source, and a file for each table in it",
            ));
        }
        let dry = Arc::new(Dry::new(options.offline));
        let folder = tempfile::Builder::new().prefix("sequor-dry-run-").tempdir()?;
        Ok(Arc::new(DryRun {
            options,
            path: folder.path().to_path_buf(),
            folder: Mutex::new(Some(folder)),
            stand_ins: Mutex::default(),
            dry,
        }))
    }

    /// Returns the folder for what queries can't hold in memory.
    pub fn spill(&self) -> PathBuf {
        self.path.join("spill")
    }

    /// Adds a copy.
    pub(super) fn add(&self, source: &str, tables: &Arc<Tables>) {
        let mut known = self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner);
        known.push((source.to_string(), tables.clone()));
    }

    pub(super) fn stand_ins(&self) -> Vec<(String, Arc<Tables>)> {
        self.stand_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks for the tables that a plan reads and does not make itself.
    ///
    /// # Errors
    /// All those that are nowhere.
    pub async fn find_tables(&self, plan: &Plan, run: &Run) -> Result<()> {
        let scope = run.scope();
        let (mut made, mut missing) = (Vec::new(), Vec::new());
        for resource in in_order(plan) {
            let (resource, reads) = match resource {
                Access::Reads(resource) => (resource, true),
                Access::Writes(resource) => (resource, false),
            };
            let Resource::Table {
                source,
                database,
                namespace,
                table,
            } = resource
            else {
                continue;
            };
            if !reads {
                made.push(resource.clone());
                continue;
            }
            if made.iter().any(|known| known.overlaps(resource)) {
                continue;
            }
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
        for (_, tables) in self.stand_ins() {
            if let (_, Some(unreachable)) = tables.limits().await {
                why.insert(format!("source `{}` can't be read: {unreachable}", tables.source));
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
        let why: String = why.iter().map(|why| format!("; {why}")).collect();
        Err(Error::new(ErrorKind::Project, message).help(format!(
            "give their rows by --fixtures DIR, with {} in it (or .jsonl, .parquet){why}",
            files.join(", ")
        )))
    }

    /// Removes the copies, and closes the real databases: what else holds them, as an interpreter does, lives as long as the process.
    pub async fn close(&self) {
        for (_, tables) in self.stand_ins() {
            tables.close().await;
        }
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = folder.map(TempDir::close) {
            tracing::warn!(%error, "the copies of a dry run are left in {}", self.path.display());
        }
    }

    /// Returns what came out.
    ///
    /// # Errors
    /// Tables that can't be read.
    pub async fn report(&self) -> Result<DryReport> {
        let mut tables = Vec::new();
        let mut notes = Vec::new();
        for (source, of_source) in self.stand_ins() {
            for (table, change) in of_source.changes().await {
                let (columns, preview) = preview(&of_source, &table).await?;
                tables.push(DryTable {
                    source: source.clone(),
                    table: table.to_string(),
                    how: change.how,
                    rows: of_source.rows(&table).await?.unwrap_or_default(),
                    new: change.new,
                    changed: change.changed,
                    columns,
                    preview,
                });
            }
            let (sampled, unreachable) = of_source.limits().await;
            if !sampled.is_empty() {
                notes.push(format!(
                    "of {} only the first {} rows were read, and counts are of those: --sample N reads more",
                    sampled
                        .iter()
                        .map(|name| format!("{source}.{name}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                    self.options.sample
                ));
            }
            if let Some(why) = unreachable {
                notes.push(format!("source `{source}` was not read: {why}"));
            }
        }
        Ok(DryReport {
            tables,
            findings: self.dry.findings(),
            notes,
        })
    }
}

/// Rows of a preview.
const PREVIEW: usize = 5;

type Preview = (Vec<String>, Vec<Vec<Option<String>>>);

async fn preview(tables: &Tables, table: &TableName) -> Result<Preview> {
    let Some(mut rows) = tables.first(table, PREVIEW).await? else {
        return Ok(Preview::default());
    };
    let columns = rows
        .schema
        .fields()
        .iter()
        .map(|field| tables.shown(field.name()));
    let columns = columns.collect();
    let options = FormatOptions::default();
    let mut all = Vec::new();
    while let Some(batch) = rows.batches.next().await {
        let batch = batch?;
        let texts = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = texts.iter().zip(batch.columns());
            let cell =
                cells.map(|(text, column)| (!column.is_null(row)).then(|| text.value(row).to_string()));
            all.push(cell.collect());
        }
    }
    Ok((columns, all))
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
            if !is_execute {
                all.extend(step.reads.iter().map(Access::Reads));
            }
            all.extend(step.writes.iter().map(Access::Writes));
        }
    });
    all
}
