//! A table that a response fills: its rows on their way, and the load that takes them.

use std::sync::Arc;

use sequor_planner::Place;
use sequor_planner::ops::{ResponseTable, SchemaPolicy, WriteMode};

use crate::batch::builder::BatchBuilder;
use crate::batch::spool::Spool;
use crate::batch::target::RowTarget;
use crate::error::Result;
use crate::exec::context::StepContext;
use crate::exec::load::appends::Appended;
use crate::exec::load::columns::{Specs, typed};
use crate::exec::load::deferred::DeferredLoad;
use crate::exec::load::filling::Beginning;
use crate::exec::load::given::constants;
use crate::exec::load::loader::{Loaded, Loaders};
use crate::exec::load::table::table_name;
use crate::exec::load::write_mode;
use crate::incremental::Tracker;
use crate::sources::database::{Database, TableName};

/// A table that is being filled.
pub struct Target {
    /// The table's name, as declared.
    pub name: String,
    pub rows: RowTarget,
    pub loading: Loading,
    /// The table, where rows are added to it, whatever it has.
    pub appended: Option<Appended>,
    /// What looks at its rows.
    pub tracker: Option<Arc<Tracker>>,
}

impl Target {
    /// Notes that all rows up to now are of the row `of` of the for_each.
    pub fn note(&self, of: u64) {
        if let Some(tracker) = &self.tracker {
            tracker.note(
                of,
                match &self.rows {
                    RowTarget::Typed(builder) => builder.total(),
                    RowTarget::Open(spool) => spool.rows(),
                },
            );
        }
    }
}

/// How rows get into a table.
pub enum Loading {
    Streaming(Loaded),
    Deferred(Box<DeferredLoad>),
}

/// Begins the load of a declared table, where its columns are known.
pub async fn target(
    context: &StepContext,
    loaders: &mut Loaders,
    table: &ResponseTable,
    specs: Option<Specs>,
    tracker: Option<Arc<Tracker>>,
) -> Result<Target> {
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
            let into = (table.target.source.as_str(), name);
            return loading(context, loaders, into, specs, mode, (&table.place, tracker)).await;
        }
        specs => specs,
    };
    let mut rows = RowTarget::Open(Spool::reshaped(&table.reshape));
    rows.give(&constants(specs.as_deref().unwrap_or_default())?)?;
    Ok(Target {
        appended: appended(&table.target.source, &database, &name, &mode).filter(|_| tracker.is_none()),
        loading: Loading::Deferred(Box::new(DeferredLoad {
            source: table.target.source.clone(),
            table: name.clone(),
            database,
            columns: specs,
            schema,
            mode,
            place: table.place.clone(),
            tracker: tracker.clone(),
        })),
        tracker,
        name: name.table,
        rows,
    })
}

/// Begins the load of a table whose columns are known.
pub async fn loading(
    context: &StepContext,
    loaders: &mut Loaders,
    (source, name): (&str, TableName),
    specs: Specs,
    mode: WriteMode,
    (place, tracker): (&Place, Option<Arc<Tracker>>),
) -> Result<Target> {
    let database = context.database(source).await?;
    let columns = typed(&*database, &specs).map_err(|e| e.at(place))?;
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let fields = specs.iter().map(|spec| match &tracker {
        Some(tracker) => tracker.field(&spec.name, spec.field.clone()),
        None => spec.field.clone(),
    });
    let builder = BatchBuilder::new(name.table.as_str(), fields, &columns)?;
    let mut rows = RowTarget::Typed(builder.lenient(database.reads_texts()));
    rows.give(&constants(&specs)?)?;
    let table = name.table.clone();
    let appended = appended(source, &database, &name, &mode).filter(|_| tracker.is_none());
    let beginning = Beginning {
        target: name,
        columns,
        given: names,
        mode,
        place: place.clone(),
        emitter: context.emitter(),
        tracker: tracker.clone(),
    };
    let loaded = loaders.add(&database, &context.scope, beginning).await?;
    Ok(Target {
        name: table,
        rows,
        appended,
        tracker,
        loading: Loading::Streaming(loaded),
    })
}

/// Returns the table, where rows are added to it.
pub fn appended(
    source: &str,
    database: &Arc<dyn Database>,
    table: &TableName,
    mode: &WriteMode,
) -> Option<Appended> {
    (*mode == WriteMode::Append).then(|| Appended {
        source: source.to_string(),
        database: database.clone(),
        table: table.clone(),
        rows: None,
    })
}
