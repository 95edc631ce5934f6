//! Dry runs: databases that stand in for the real ones, and what came out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use futures::StreamExt;
use sequor_planner::Dialect;
use sequor_planner::effects::Resource;
use sequor_planner::expr::Prop;
use sequor_planner::plan::Plan;
use sequor_planner::syntax::{DatabaseSource, Source, SourceKind};
use tempfile::TempDir;

use super::registry::Types;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DryReport, DryTable};
use crate::exec::{Dry, Opener, Run};
use crate::sources::database::{Database, TableName};
use crate::sources::naming::Naming;
use crate::staging::{Memory, Staging};
use crate::stand_in::{Names, Real, StandIn, Tables};
use crate::value::Value;
use crate::world::World;

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
    options: DryOptions,
    folder: TempDir,
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
        Ok(Arc::new(DryRun {
            options,
            folder: tempfile::Builder::new().prefix("sequor-dry-run-").tempdir()?,
            stand_ins: Mutex::default(),
            dry,
        }))
    }

    /// Returns the folder for what queries can't hold in memory.
    pub fn spill(&self) -> PathBuf {
        self.folder.path().join("spill")
    }

    fn stand_ins(&self) -> Vec<(String, Arc<Tables>)> {
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
            if made.iter().any(|known| known.overlaps(resource)) || missing.contains(resource) {
                continue;
            }
            // What is wrong with its settings is told by the step.
            let Ok(opened) = run.databases.get(source, &scope).await else {
                continue;
            };
            let name = TableName {
                database: database.clone(),
                namespace: namespace.clone(),
                table: opened.fold(table),
            };
            if opened.columns(&name).await?.is_none() {
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
                    "of {} only the first {} rows were read: --sample N reads more",
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
            all.extend(step.reads.iter().map(Access::Reads));
            all.extend(step.writes.iter().map(Access::Writes));
        }
    });
    all
}

/// Opens stand-ins.
pub struct StandIns {
    pub run: Arc<DryRun>,
    /// Opens the real databases.
    pub real: Arc<dyn Opener>,
    pub memory: Memory,
    /// Where the project's own staging databases are.
    pub staging: PathBuf,
}

#[async_trait]
impl Opener for StandIns {
    async fn evaluate(&self, settings: &[&Prop], world: &Arc<dyn World>) -> Result<Vec<Value>> {
        self.real.evaluate(settings, world).await
    }

    async fn open(&self, source: &Source, world: &Arc<dyn World>) -> Result<Option<Arc<dyn Database>>> {
        let SourceKind::Database(kind) = &source.kind else {
            return Ok(None);
        };
        let quoted = match &source.identifiers {
            None => false,
            Some(prop) => {
                let value = self.real.evaluate(&[prop], world).await?;
                value.first().is_some_and(|value| value.to_text() == "quoted")
            }
        };
        let dialect = source.dialect().unwrap_or(Dialect::Generic);
        let number = self.run.stand_ins().len();
        let folder = self.run.folder.path().join(format!("{number}"));
        let staging = Staging::open_folder_with(&folder, &self.memory)?;
        let real = RealSource {
            opener: self.real.clone(),
            source: source.clone(),
            world: world.clone(),
            dry: self.run.dry.clone(),
            staging: self.staging.join(&source.name),
            opened: tokio::sync::Mutex::new(None),
        };
        let tables = Tables::new(
            (&source.name, self.names(kind, dialect, world).await?),
            staging.quoted_names(quoted),
            Arc::new(real),
            self.run.options.fixtures.clone(),
            self.run.options.sample,
        );
        let stand_in = StandIn::new(tables, naming(dialect).of_source(quoted), Types::of(kind));
        let mut known = self.run.stand_ins.lock().unwrap_or_else(PoisonError::into_inner);
        known.push((source.name.clone(), stand_in.tables.clone()));
        Ok(Some(Arc::new(stand_in)))
    }
}

impl StandIns {
    /// The names of a source's tables.
    async fn names(&self, kind: &DatabaseSource, dialect: Dialect, world: &Arc<dyn World>) -> Result<Names> {
        let DatabaseSource::Snowflake(source) = kind else {
            return Ok(Names::new(dialect, None, None));
        };
        let given = [&source.database, &source.schema];
        let mut texts = [None, None];
        for (prop, text) in given.into_iter().zip(&mut texts) {
            if let Some(prop) = prop {
                let value = self.real.evaluate(&[prop], world).await?;
                *text = value.first().map(|value| value.to_text());
            }
        }
        let [database, namespace] = &texts;
        Ok(Names::new(dialect, database.as_deref(), namespace.as_deref()))
    }
}

/// How databases of a dialect take names.
fn naming(dialect: Dialect) -> Naming {
    match dialect {
        Dialect::Postgres | Dialect::Staging => Naming::Lower,
        Dialect::Snowflake => Naming::Upper,
        Dialect::DuckDb | Dialect::Sqlite | Dialect::MySql | Dialect::Generic => Naming::AnyCase,
    }
}

/// How long a server gets to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The real database of a source.
struct RealSource {
    opener: Arc<dyn Opener>,
    source: Source,
    world: Arc<dyn World>,
    dry: Arc<Dry>,
    staging: PathBuf,
    /// What opening it gave.
    opened: tokio::sync::Mutex<Option<Result<Arc<dyn Database>>>>,
}

#[async_trait]
impl Real for RealSource {
    async fn database(&self) -> Result<Arc<dyn Database>> {
        let mut opened = self.opened.lock().await;
        if let Some(known) = &*opened {
            return known.clone();
        }
        let found = self.open().await;
        *opened = Some(found.clone());
        found
    }
}

impl RealSource {
    async fn open(&self) -> Result<Arc<dyn Database>> {
        let not = |why: String| Error::new(ErrorKind::Connect, why);
        let SourceKind::Database(kind) = &self.source.kind else {
            return Err(not("it is an API".into()));
        };
        let is_server = !matches!(
            **kind,
            DatabaseSource::Staging(_) | DatabaseSource::Sqlite(_) | DatabaseSource::DuckDb(_)
        );
        if is_server && self.dry.offline {
            return Err(not("--offline".into()));
        }
        if matches!(**kind, DatabaseSource::Staging(_)) && !self.staging.is_dir() {
            return Err(not("it has no tables yet".into()));
        }
        let settings = self.opener.evaluate(&self.source.settings(), &self.world).await?;
        if settings.iter().any(|value| self.dry.stands_in(&value.to_text())) {
            return Err(not(
                "variables of the environment that it needs are not set".into()
            ));
        }
        let opening = self.opener.open(&self.source, &self.world);
        let opened = tokio::time::timeout(PATIENCE, opening).await;
        let opened = opened.map_err(|_| not("it does not answer".into()))??;
        opened.ok_or_else(|| not("it is an API".into()))
    }
}
