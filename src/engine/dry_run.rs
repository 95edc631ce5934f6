//! Dry runs: how one is made, and what it keeps.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Findings, Written};
use crate::exec::{Dry, Script, Variables, named_table};
use crate::sources::database::{Database, TableName};
use crate::stand_in::{GivenRows, Keeps, StandIn};
use crate::value::{Row, Value};

/// How a dry run is made.
#[derive(Debug, Clone)]
pub struct DryOptions {
    /// Rows of each table that are read from its real database.
    pub sample: u64,
    /// A folder with tables as files: `<source>/<table>.csv`, `.jsonl` or `.parquet`.
    pub fixtures: Option<PathBuf>,
    /// Whether nothing is asked of servers.
    pub offline: bool,
    /// What is kept of tables as they were.
    pub keeps: Keeps,
    /// A folder for the tables and requests that come out.
    pub out: Option<PathBuf>,
}

/// What a test lays down for its run.
#[derive(Default)]
pub struct TestSetup {
    pub script: Script,
    pub given: Vec<GivenTable>,
}

/// A table that a test lays down.
#[derive(Debug, Clone)]
pub struct GivenTable {
    pub source: String,
    /// As SQL names it.
    pub name: String,
    pub rows: GivenRows,
    /// Names of columns with their types, as the database writes them.
    pub columns: Vec<(String, String)>,
}

/// What was read of a real table.
pub struct Copied {
    pub source: String,
    /// As SQL names it.
    pub name: String,
    /// Names with types, as the database writes them.
    pub columns: Vec<(String, String)>,
    pub rows: Vec<Row>,
}

/// The name of a table as SQL writes it: in quotes where it is another one without.
fn written(database: &dyn Database, table: &TableName) -> String {
    let plain = |name: &str| {
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_word && !name.starts_with(|c: char| c.is_ascii_digit()) && database.fold(name) == name
    };
    let parts = [&table.database, &table.namespace]
        .into_iter()
        .flatten()
        .chain([&table.table]);
    let parts = parts.map(|name| match plain(name) {
        true => name.clone(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    });
    parts.collect::<Vec<_>>().join(".")
}

/// A dry run: nothing that it does is seen outside of it.
pub struct DryRun {
    pub(super) options: DryOptions,
    /// None when it is over.
    folder: Mutex<Option<TempDir>>,
    pub(super) path: PathBuf,
    stand_ins: Mutex<Vec<(String, Arc<StandIn>)>>,
    pub(super) dry: Arc<Dry>,
    /// What a test lays down; none: it is no test.
    pub(super) given: Option<Vec<GivenTable>>,
    /// The variables of the run, once it began.
    variables: OnceLock<Arc<Variables>>,
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
        DryRun::with(options, None, None)
    }

    /// Prepares the run of a test: nothing is asked of servers, and all there is are the tables that it lays down.
    ///
    /// # Errors
    /// A folder for its tables that can't be made.
    pub fn of_test(setup: TestSetup) -> Result<Arc<DryRun>> {
        let options = DryOptions {
            sample: 0,
            fixtures: None,
            offline: true,
            keeps: Keeps::default(),
            out: None,
        };
        DryRun::with(options, Some(setup.script), Some(setup.given))
    }

    fn with(
        options: DryOptions,
        script: Option<Script>,
        given: Option<Vec<GivenTable>>,
    ) -> Result<Arc<DryRun>> {
        let requests = options.out.as_ref().map(|out| out.join("requests"));
        let dry = Arc::new(Dry::new(options.offline, script, requests));
        let folder = tempfile::Builder::new().prefix("sequor-dry-run-").tempdir()?;
        Ok(Arc::new(DryRun {
            options,
            path: folder.path().to_path_buf(),
            folder: Mutex::new(Some(folder)),
            stand_ins: Mutex::default(),
            dry,
            given,
            variables: OnceLock::new(),
        }))
    }

    /// Tells whether it is a test's.
    pub fn is_test(&self) -> bool {
        self.given.is_some()
    }

    /// Returns what a test has laid down.
    pub fn script(&self) -> Option<&Script> {
        self.dry.script.as_ref()
    }

    /// Returns what was found besides tables.
    pub fn findings(&self) -> Findings {
        self.dry.findings()
    }

    pub(super) fn keep_variables(&self, variables: &Arc<Variables>) {
        let _ = self.variables.set(variables.clone());
    }

    /// Returns a variable as the run left it: the flow's own, else the project's.
    pub fn variable(&self, name: &str) -> Option<Value> {
        let variables = self.variables.get()?;
        variables.local(0, name).or_else(|| variables.project_value(name))
    }

    /// Returns the copy of a source's tables, where the run opened it.
    pub fn database(&self, source: &str) -> Option<Arc<dyn Database>> {
        let known = self.stand_ins().into_iter().find(|(name, _)| name == source);
        known.map(|(_, database)| database as Arc<dyn Database>)
    }

    /// Tells whether anything looked at the rows that a table was given.
    pub async fn was_read(&self, source: &str, name: &str) -> bool {
        let known = self.stand_ins().into_iter().find(|(known, _)| known == source);
        let Some((_, database)) = known else {
            return false;
        };
        match named_table(&*database, None, None, name) {
            Ok(table) => database.tables.was_found(&table).await,
            Err(_) => false,
        }
    }

    /// Returns what was read of real tables, where it is kept: the source, the table, its columns and rows.
    pub async fn copies(&self) -> Vec<Copied> {
        let mut all = Vec::new();
        for (source, database) in self.stand_ins() {
            for (table, columns, batches) in database.tables.copies().await {
                let name = written(&*database, &table);
                let types = columns.into_iter().map(|column| {
                    let column_type = column.column_type;
                    (column.name, column_type.declared.unwrap_or(column_type.sql))
                });
                let rows = batches.into_iter().flat_map(|batch| {
                    let batch = Arc::new(batch);
                    (0..batch.num_rows()).map(move |row| Row::new(batch.clone(), row))
                });
                all.push(Copied {
                    source: source.clone(),
                    name,
                    columns: types.collect(),
                    rows: rows.collect(),
                });
            }
        }
        all
    }

    /// Returns the tables that the run changed, with their sources, as SQL names them, and what became of them.
    pub async fn changed(&self) -> Vec<(String, String, Written)> {
        let mut all = Vec::new();
        for (source, database) in self.stand_ins() {
            let changes = database.tables.changes().await.into_iter();
            all.extend(
                changes.map(|(table, change)| (source.clone(), written(&*database, &table), change.how)),
            );
        }
        all
    }

    /// Returns the folder for what queries can't hold in memory.
    pub fn spill(&self) -> PathBuf {
        self.path.join("spill")
    }

    /// Adds a copy.
    pub(super) fn add(&self, source: &str, database: &Arc<StandIn>) {
        let mut known = self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner);
        known.push((source.to_string(), database.clone()));
    }

    pub(super) fn stand_ins(&self) -> Vec<(String, Arc<StandIn>)> {
        self.stand_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Removes the copies, and closes the real databases: what else holds them, as an interpreter does, lives as long as the process.
    pub async fn close(&self) {
        for (_, database) in self.stand_ins() {
            database.tables.close().await;
        }
        let folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = folder.map(TempDir::close) {
            tracing::warn!(%error, "the copies of a dry run are left in {}", self.path.display());
        }
    }
}
