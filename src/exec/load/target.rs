//! A table that a response fills: its rows on their way, and the load that takes them.

use std::sync::Arc;

use sequor_planner::Place;
use sequor_planner::ops::{ResponseTable, SchemaPolicy, WriteMode};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::batch::builder::BatchBuilder;
use crate::batch::spool::Spool;
use crate::batch::target::RowTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::load::appends::Appended;
use crate::exec::load::columns::{Specs, typed};
use crate::exec::load::deferred::DeferredLoad;
use crate::exec::load::given::constants;
use crate::exec::load::table::table_name;
use crate::exec::load::unparsed::Batch;
use crate::exec::load::waiting::{self, Beginning, Written};
use crate::exec::load::write_mode;
use crate::sources::database::{Database, TableName};

/// Batches waiting for the database. Few: what waits is memory.
const WAITING: usize = 2;

/// The task of one table's load: gives the load back when all batches are written.
type Loader = AbortOnDropHandle<Result<Written>>;

/// A table that is being filled.
pub struct Target {
    /// The table's name, as declared.
    pub name: String,
    pub rows: RowTarget,
    pub loading: Loading,
    /// The table, where rows are added to it.
    pub appended: Option<Appended>,
}

/// How rows get into a table.
pub enum Loading {
    Streaming {
        sender: mpsc::Sender<Batch>,
        loader: Option<Loader>,
    },
    Deferred(Box<DeferredLoad>),
}

/// Begins the load of a declared table, where its columns are known.
pub async fn target(context: &StepContext, table: &ResponseTable, specs: Option<Specs>) -> Result<Target> {
    let schema = table.schema.unwrap_or(match specs {
        Some(_) => SchemaPolicy::Discard,
        None => SchemaPolicy::Evolve,
    });
    let database = context.database(&table.target.source).await?;
    let mode = write_mode(&table.write_mode, &*database);
    let name = table_name(context, &table.target).await?;
    let specs = match specs {
        // What else the rows have does not matter: they can go on at once.
        Some(specs) if schema == SchemaPolicy::Discard => {
            return loading(context, &table.target.source, name, specs, mode, &table.place).await;
        }
        specs => specs,
    };
    let mut rows = RowTarget::Open(Spool::reshaped(&table.reshape));
    rows.give(&constants(specs.as_deref().unwrap_or_default())?)?;
    Ok(Target {
        appended: appended(&database, &name, &mode),
        loading: Loading::Deferred(Box::new(DeferredLoad {
            table: name.clone(),
            database,
            columns: specs,
            schema,
            mode,
            place: table.place.clone(),
        })),
        name: name.table,
        rows,
    })
}

/// Begins the load of a table whose columns are known.
pub async fn loading(
    context: &StepContext,
    source: &str,
    name: TableName,
    specs: Specs,
    mode: WriteMode,
    place: &Place,
) -> Result<Target> {
    let database = context.database(source).await?;
    let columns = typed(&*database, &specs).map_err(|e| e.at(place))?;
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let fields = specs.iter().map(|spec| spec.field.clone());
    let builder = BatchBuilder::new(name.table.as_str(), fields, &columns)?;
    let mut rows = RowTarget::Typed(builder.lenient(database.reads_texts()));
    rows.give(&constants(&specs)?)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let shown = name.to_string();
    let table = name.table.clone();
    let appended = appended(&database, &name, &mode);
    let mut beginning = Beginning {
        database,
        target: name,
        columns,
        given: names,
        mode,
        emitter: context.emitter(),
    };
    let (at, name_for_errors) = (place.clone(), shown.clone());
    let loader = match context.scope.is_current() {
        true => {
            let load = beginning.begin().await;
            let load = load.map_err(|e| e.context(format!("table `{shown}`")).at(place))?;
            tokio::spawn(waiting::write_all(beginning, Written { load, rows: 0 }, receiver))
        }
        // Nothing of the database is held while the step waits for its turn.
        false => tokio::spawn(waiting::write_in_turn(beginning, context.scope.clone(), receiver)),
    };
    let loader = AbortOnDropHandle::new(tokio::spawn(async move {
        let written = AbortOnDropHandle::new(loader).await;
        let written = written.map_err(|e| {
            Error::new(
                ErrorKind::Internal,
                format!("the task of a load ended unexpectedly: {e}"),
            )
        });
        written?.map_err(|e| match e.kind() {
            // Errors of values name their table themselves.
            ErrorKind::Value if e.message().starts_with("table `") => e.at(&at),
            _ => e.context(format!("table `{name_for_errors}`")).at(&at),
        })
    }));
    Ok(Target {
        name: table,
        rows,
        appended,
        loading: Loading::Streaming {
            sender,
            loader: Some(loader),
        },
    })
}

/// Returns the table, where rows are added to it.
pub fn appended(database: &Arc<dyn Database>, table: &TableName, mode: &WriteMode) -> Option<Appended> {
    (*mode == WriteMode::Append).then(|| Appended {
        database: database.clone(),
        table: table.clone(),
        rows: None,
    })
}
