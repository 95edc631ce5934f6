//! The databases of a dry run: a copy for each source, which reads the real one's tables.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sequor_planner::Dialect;
use sequor_planner::expr::Prop;
use sequor_planner::syntax::{DatabaseSource, Source, SourceKind};

use super::dry_run::DryRun;
use super::registry::Types;
use crate::batch::types::ColumnType;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Dry, Opener, named_table};
use crate::sources::database::Database;
use crate::sources::naming::Naming;
use crate::staging::{Memory, Staging};
use crate::stand_in::{BARE, Given, Help, Names, Real, StandIn, Tables, functions};
use crate::value::Value;
use crate::world::World;

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
        let folder = self.run.path.join(format!("{number}"));
        let staging = Staging::open_folder_with(&folder, &self.memory)?
            .with_functions(functions(dialect))?
            .in_order();
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
            (self.run.options.fixtures.clone(), self.run.options.sample),
            match self.run.is_test() {
                true => Help::Given,
                false => Help::Fixtures,
            },
        );
        let tables = tables.keeping(self.run.options.keeps);
        let stand_in = StandIn::new(tables, naming(dialect).of_source(quoted), Types::of(kind));
        self.give(&source.name, &stand_in).await?;
        let stand_in = Arc::new(stand_in);
        self.run.add(&source.name, &stand_in);
        Ok(Some(stand_in))
    }
}

impl StandIns {
    /// Lays down the tables that a test gives a source.
    async fn give(&self, source: &str, stand_in: &StandIn) -> Result<()> {
        let given = self.run.given.iter().flatten();
        for table in given.filter(|table| table.source == source) {
            let name = named_table(stand_in, None, None, &table.name)?;
            let mut columns = Vec::new();
            for (column, sql) in &table.columns {
                let column_type = stand_in.column_type(sql);
                let column_type =
                    column_type.map_err(|e| e.context(format!("the given table {source}.{name}")))?;
                let bare = stand_in.dialect() == Dialect::Postgres
                    && matches!(sql.trim().to_lowercase().as_str(), "numeric" | "decimal");
                let declared = bare.then(|| BARE.to_string());
                columns.push((
                    column.clone(),
                    ColumnType {
                        declared,
                        ..column_type
                    },
                ));
            }
            let rows = table.rows.clone();
            stand_in.tables.give(&name, Given { rows, columns }).await;
        }
        Ok(())
    }

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

    async fn close(&self) {
        if let Some(Ok(database)) = self.opened.lock().await.take() {
            database.close().await;
        }
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
        if self.dry.script.is_some() {
            return Err(not("a test reads no real tables".into()));
        }
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
