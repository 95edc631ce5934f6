//! Loads that begin when all rows are there: tables whose columns come from the data or from a parser.

use std::sync::Arc;

use sequor_planner::Place;
use sequor_planner::ops::SchemaPolicy;

use crate::batch::builder::BatchBuilder;
use crate::batch::column::Column;
use crate::batch::field::Field;
use crate::batch::spool::Spool;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::load::columns::{ColumnSpec, Specs, named_as_there, specs, typed};
use crate::exec::load::filling::{Beginning, Filling};
use crate::exec::load::table::Defaults;
use crate::exec::load::unparsed::{self, Batch};
use crate::exec::tables::named_table;
use crate::incremental::Tracker;
use crate::python::NamedTable;
use crate::sources::database::{Database, TableName};
use crate::sources::key::upsert_key;
use sequor_planner::ops::WriteMode;

/// A load that begins when all its rows are there.
pub struct DeferredLoad {
    pub source: String,
    pub database: Arc<dyn Database>,
    pub table: TableName,
    /// None: from the data.
    pub columns: Option<Specs>,
    /// What becomes of fields that there is no column for.
    pub schema: SchemaPolicy,
    pub mode: WriteMode,
    pub place: Place,
    /// What looks at its rows.
    pub tracker: Option<Arc<Tracker>>,
}

impl DeferredLoad {
    /// Returns the load of a table that a parser names.
    pub fn named(context: &StepContext, named: NamedTable, defaults: &Defaults) -> Result<DeferredLoad> {
        let missing = |key: &str| {
            Error::new(
                ErrorKind::Data,
                format!("the parser returns a table without `{key}`, and `response` has none"),
            )
            .help(format!(
                "add `\"{key}\"` to the table, set `response.{key}`, or declare the table in `response.tables`"
            ))
        };
        let source = named.source.or_else(|| defaults.source.clone());
        let source = source.ok_or_else(|| missing("source"))?;
        let table = named.table.or_else(|| defaults.table.clone());
        let table = table.ok_or_else(|| missing("table"))?;
        if context.run.apis.is_api(&source) {
            let message = format!("source `{source}` is an API, and tables are in databases");
            return Err(Error::new(ErrorKind::Data, message));
        }
        let database = context.scope.database(&source)?;
        let mode = match named.write_mode.as_deref() {
            None | Some("create" | "replace") => WriteMode::Replace,
            Some("append") => WriteMode::Append,
            Some("upsert") if named.primary_key.is_empty() => {
                let message =
                    format!("the parser returns table `{table}` to be upserted, without `primary_key`");
                return Err(
                    Error::new(ErrorKind::Data, message).help("add `\"primary_key\": [\"id\"]` to the table")
                );
            }
            Some("upsert") => {
                let key = named.primary_key.iter().map(|name| database.fold(name));
                WriteMode::Upsert(key.collect())
            }
            Some(other) => {
                let message = format!("`{other}` is not a write mode");
                return Err(
                    Error::new(ErrorKind::Data, message).help("use create, replace, append or upsert")
                );
            }
        };
        let columns = named.columns.as_ref().map(specs).transpose()?;
        Ok(DeferredLoad {
            source,
            schema: match columns {
                Some(_) => SchemaPolicy::Discard,
                None => SchemaPolicy::Evolve,
            },
            columns,
            table: named_table(
                &*database,
                named.database.or_else(|| defaults.database.clone()),
                named.namespace.or_else(|| defaults.namespace.clone()),
                &table,
            )?,
            database,
            mode,
            place: defaults.place.clone(),
            tracker: None,
        })
    }

    /// Tells whether a field's column, which is not declared, has another name because the field's is too long.
    fn is_cut(&self, field: &Field) -> bool {
        let declared = self.columns.as_deref().unwrap_or_default();
        field.key().is_some_and(|key| key != field.name)
            && !declared.iter().any(|spec| spec.name == field.name)
    }

    /// Tells whether it is the same table.
    pub fn is_same(&self, other: &DeferredLoad) -> bool {
        Arc::ptr_eq(&self.database, &other.database) && self.table == other.table
    }
}

/// Writes all rows; returns the table's number, none when there is nothing to write. Nothing is visible before the commit.
pub async fn load(
    context: &StepContext,
    filling: &mut Filling,
    deferred: &DeferredLoad,
    mut spool: Spool,
) -> Result<Option<usize>> {
    let database = &deferred.database;
    let there = match deferred.columns.is_none() || deferred.schema == SchemaPolicy::Evolve {
        true => database.columns(&deferred.table).await?,
        false => None,
    };
    let (mut fields, mut columns) = columns(&**database, deferred, &spool, there.as_deref())?;
    if let Some(tracker) = &deferred.tracker {
        let read = fields.into_iter().zip(&columns);
        fields = read
            .map(|(field, column)| tracker.field(&column.name, field))
            .collect();
    }
    let place = (&**database, &deferred.table);
    let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    named_as_there(place, &names, &mut columns, there.as_deref(), &context.emitter()).await?;
    if columns.is_empty() {
        let message = format!(
            "no rows came for table `{}`, which is not there: it has no columns to be made with",
            deferred.table
        );
        context.warn(message).await;
        return Ok(None);
    }
    let mut mode = deferred.mode.clone();
    for field in fields.iter().filter(|field| deferred.is_cut(field)) {
        let (key, name) = (field.key().unwrap_or_default(), &field.name);
        let message = format!(
            "table `{}`: the name of field `{key}` is too long for the database: its column is `{name}`",
            deferred.table
        );
        context.warn(message).await;
        if let WriteMode::Upsert(primary_key) = &mut mode {
            let of_key = primary_key.iter_mut().filter(|named| *named == key);
            of_key.for_each(|named| named.clone_from(name));
        }
    }
    upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    let new: Vec<Column> = match &there {
        Some(there) if !deferred.mode.replaces() => {
            let known = |c: &&Column| !there.iter().any(|t| t.name == c.name);
            columns.iter().filter(known).cloned().collect()
        }
        _ => Vec::new(),
    };
    if !new.is_empty() {
        // The table grows before its rows are loaded: that they fit is seen first.
        let builder = BatchBuilder::new(deferred.table.table.as_str(), fields.clone(), &columns)?;
        let mut builder = builder.lenient(database.reads_texts());
        let mut replay = spool.replay()?;
        loop {
            let more = replay.fill(&mut builder)?;
            let unparsed = builder.take_unparsed();
            if let Some(rows) = builder.take()?
                && !unparsed.is_empty()
            {
                let table = deferred.table.table.as_str();
                unparsed::read(&**database, table, &columns, Batch { rows, unparsed }).await?;
            }
            if !more {
                break;
            }
        }
        database.alter(&deferred.table, &new, &[]).await?;
    }
    let beginning = Beginning {
        target: deferred.table.clone(),
        given: columns.iter().map(|c| c.name.clone()).collect(),
        columns: columns.clone(),
        mode,
        place: deferred.place.clone(),
        emitter: context.emitter(),
        tracker: deferred.tracker.clone(),
    };
    let table = filling.add_known(beginning).await?;
    let name = deferred.table.table.as_str();
    let builder = BatchBuilder::new(name, fields, &columns)?;
    let mut builder = builder.lenient(database.reads_texts());
    let mut replay = spool.replay()?;
    loop {
        let more = replay.fill(&mut builder)?;
        let unparsed = builder.take_unparsed();
        if let Some(rows) = builder.take()? {
            context.counters.add_rows(rows.num_rows() as u64);
            filling.write(table, Batch { rows, unparsed }).await?;
        }
        if !more {
            return Ok(Some(table));
        }
    }
}

/// The fields in the data, and the columns they go to: declared; or those of the data, and of the table where its rows
/// stay or there are none.
fn columns(
    database: &dyn Database,
    deferred: &DeferredLoad,
    spool: &Spool,
    there: Option<&[Column]>,
) -> Result<(Vec<Field>, Vec<Column>)> {
    let naming = database.naming();
    let declared = deferred.columns.as_deref().unwrap_or_default();
    if declared.is_empty() && spool.rows() == 0 {
        let columns = there.map(<[Column]>::to_vec).unwrap_or_default();
        return Ok((columns.iter().map(|c| c.name.clone().into()).collect(), columns));
    }
    let seen = spool.columns();
    let seen = seen.filter(|(name, _)| !declared.iter().any(|spec| spec.field.is_key(name)));
    let mut specs: Specs = declared.to_vec();
    let fixed = match (declared.is_empty(), there) {
        // The first rows make the table.
        (true, None) => None,
        (true, there) => there,
        (false, _) => Some(&[][..]),
    };
    let limit = database.dialect().name_limit();
    for (key, sql) in seen {
        let short = limit.and_then(|limit| limit.shortened(&database.fold(key)));
        let name = short.as_deref().unwrap_or(key);
        let taken = declared.iter().find(|spec| spec.name == key);
        if let (Some(spec), SchemaPolicy::Evolve | SchemaPolicy::Freeze) = (taken, deferred.schema)
            && !spec.field.is_given()
        {
            let message = format!(
                "the rows have `{key}`, and column `{key}` of table `{}` is read from elsewhere",
                deferred.table
            );
            return Err(Error::new(ErrorKind::Data, message)
                .help("give that column another name, or leave the field out by `schema: discard`"));
        }
        if taken.is_some() {
            continue;
        }
        let inside = || declared.iter().any(|spec| spec.field.key() == Some(key));
        let known = fixed.is_none_or(|fixed| naming.knows(fixed, name));
        match deferred.schema {
            SchemaPolicy::Discard if !known => {}
            SchemaPolicy::Freeze if !known && inside() => {}
            SchemaPolicy::Freeze if !known => return Err(frozen(deferred, key)),
            _ => specs.push(ColumnSpec {
                field: Field::from(key.to_string()).named(name),
                ..ColumnSpec::new(name, sql)
            }),
        }
    }
    let mut columns = typed(database, &specs)?;
    let stays = !deferred.mode.replaces() || deferred.schema != SchemaPolicy::Evolve;
    if stays {
        for column in &mut columns[declared.len()..] {
            if let Some(known) = naming.find(there.unwrap_or_default(), &column.name) {
                *column = known.clone();
            }
        }
    }
    // What is given stands in the rows under the column's name.
    let fields = specs.into_iter().map(|spec| spec.field.in_spool());
    let mut fields: Vec<Field> = fields.collect();
    if deferred.mode.replaces() && deferred.schema != SchemaPolicy::Evolve && declared.is_empty() {
        // The table keeps its columns, whichever of them the rows have.
        for known in there.into_iter().flatten() {
            if naming.find(&columns, &known.name).is_none() {
                fields.push(known.name.clone().into());
                columns.push(known.clone());
            }
        }
    }
    Ok((fields, columns))
}

/// What is said of a field that a table may not get a column for.
fn frozen(deferred: &DeferredLoad, field: &str) -> Error {
    let message = format!(
        "the rows have `{field}`, which table `{}` has no column for",
        deferred.table
    );
    Error::new(ErrorKind::Data, message).help(
        "`schema: freeze` keeps the columns as they are: declare the column, or use `schema: evolve` to add it, `discard` to leave it out",
    )
}
