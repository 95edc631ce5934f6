//! The pipeline from rows to tables: builders fill batches, a task per table loads them meanwhile. Tables whose columns
//! come from the data wait aside until all rows are there.

use std::sync::{Arc, Mutex, PoisonError};

use sequor_planner::ops::{HttpRequest, TableRef, WriteMode};

use crate::batch::spool::Spool;
use crate::batch::target::{GivenValue, RowTarget};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::load::appends::{self, Appended};
use crate::exec::load::columns::{ColumnSpec, declared};
use crate::exec::load::deferred::{self, DeferredLoad};
use crate::exec::load::filled::{Filled, never_seen};
use crate::exec::load::filling::Filling;
use crate::exec::load::loader::{Loaded, Loaders, Sender, joined};
use crate::exec::load::states::States;
use crate::exec::load::table::Defaults;
use crate::exec::load::target::{Loading, Target, appended, loading, target};
use crate::incremental::KeepsState;
use crate::python::{NamedTable, OnFull, ParserTables};
use crate::sources::database::TableName;

/// The tables that a step fills.
pub struct Sink {
    /// Filled under a lock that is never held over an await.
    tables: Mutex<Tables>,
    context: StepContext,
    /// The table whose rows are not counted: they are not the response's.
    apart: Option<usize>,
    /// How far its tables got, where that is kept.
    states: Option<Arc<dyn KeepsState>>,
}

/// The tables of a sink.
pub struct Tables {
    context: StepContext,
    defaults: Defaults,
    targets: Vec<Target>,
    loaders: Loaders,
    /// How many of the targets the response declares; the others a parser named.
    declared: usize,
    filled: Filled,
}

impl Sink {
    /// Begins the loads. Nothing is seen by others before [`Sink::commit`].
    pub async fn begin(
        context: &StepContext,
        request: &HttpRequest,
        states: Option<Arc<dyn KeepsState>>,
    ) -> Result<Sink> {
        let mut targets = Vec::with_capacity(request.response.tables.len());
        let mut loaders = Loaders::default();
        for (at, table) in request.response.tables.iter().enumerate() {
            let specs = declared(context, table).await?;
            let tracker = states.as_ref().and_then(|states| states.tracker(at));
            targets.push(target(context, &mut loaders, table, specs, tracker).await?);
        }
        let sink = Sink::of(context, request, targets, loaders).await?;
        Ok(Sink { states, ..sink })
    }

    /// Keeps the rows for [`Sink::aside`]: nothing is loaded.
    pub async fn begin_aside(context: &StepContext, request: &HttpRequest) -> Result<Sink> {
        let mut targets = Vec::with_capacity(request.response.tables.len());
        let mut loaders = Loaders::default();
        for table in &request.response.tables {
            targets.push(target(context, &mut loaders, table, None, None).await?);
        }
        Sink::of(context, request, targets, loaders).await
    }

    async fn of(
        context: &StepContext,
        request: &HttpRequest,
        targets: Vec<Target>,
        loaders: Loaders,
    ) -> Result<Sink> {
        let defaults = &request.response.defaults;
        Ok(Sink {
            tables: Mutex::new(Tables {
                context: context.clone(),
                defaults: Defaults::evaluate(context, defaults, &request.place).await?,
                declared: targets.len(),
                targets,
                loaders,
                filled: Filled::default(),
            }),
            context: context.clone(),
            apart: None,
            states: None,
        })
    }

    /// Begins the load of another table, whose rows are not counted. Its number.
    pub async fn add(
        &mut self,
        (table, name): (&TableRef, TableName),
        columns: &[(&str, &str)],
        mode: WriteMode,
    ) -> Result<usize> {
        let context = &self.context;
        let specs = columns.iter().map(|(name, sql)| ColumnSpec::new(*name, *sql));
        let tables = self.tables.get_mut().unwrap_or_else(PoisonError::into_inner);
        let target = loading(
            context,
            &mut tables.loaders,
            (&table.source, name),
            specs.collect(),
            mode,
            (&table.place, None),
        )
        .await?;
        tables.targets.push(target);
        let at = tables.targets.len() - 1;
        self.apart = Some(at);
        Ok(at)
    }

    /// As [`Sink::fill`], with rows for the row `of` of the for_each.
    pub fn fill_of<T>(&self, of: u64, f: impl FnOnce(&mut Tables) -> Result<T>) -> Result<(T, Filled)> {
        self.fill(|tables| {
            let filled = f(tables);
            // Of what can't be read, the rows before it are there.
            tables.targets.iter().for_each(|target| target.note(of));
            let filled = filled?;
            tables.look_at_page(of)?;
            Ok(filled)
        })
    }

    /// Fills tables, synchronously. Batches that got full are to be sent.
    pub fn fill<T>(&self, f: impl FnOnce(&mut Tables) -> Result<T>) -> Result<(T, Filled)> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut tables)?;
        let Tables { targets, filled, .. } = &mut *tables;
        for (at, target) in targets.iter_mut().enumerate() {
            if let RowTarget::Typed(builder) = &mut target.rows
                && builder.is_full()
            {
                filled.take(at, builder)?;
            }
        }
        Ok((result, std::mem::take(filled)))
    }

    /// Passes full batches on to the loads; waits while those are behind.
    pub async fn send(&self, filled: Filled) -> Result<()> {
        for (table, batch) in filled.batches {
            let rows = batch.rows.num_rows() as u64;
            let sender = self.sender(table).ok_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    "a batch for a table that is not being loaded",
                )
            })?;
            if !sender.send(batch).await {
                return Err(self.loader_error(table).await);
            }
            if self.apart != Some(table) {
                self.context.counters.add_rows(rows);
            }
        }
        Ok(())
    }

    fn sender(&self, table: usize) -> Option<Sender> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.loaders.sender(tables.loaded(table)?)
    }

    /// Why a load gave up.
    async fn loader_error(&self, table: usize) -> Error {
        let task = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            let loaded = tables.loaded(table);
            loaded.and_then(|loaded| tables.loaders.take_task(loaded))
        };
        let ended = match task {
            Some(task) => joined(task).await.err(),
            None => None,
        };
        ended.unwrap_or_else(|| Error::new(ErrorKind::Internal, "the load ended early"))
    }

    /// Returns the rows kept aside, by table.
    pub fn aside(&self) -> Result<Vec<(String, Vec<serde_json::Value>)>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for target in &mut tables.targets {
            if let RowTarget::Open(spool) = &mut target.rows {
                all.push((target.name.clone(), spool.objects()?));
            }
        }
        Ok(all)
    }

    /// As [`Sink::commit`], of the table that is not the response's alone: the others stay as they are.
    pub async fn commit_apart(self) -> Result<()> {
        let apart = self.apart;
        self.commit_those(|table| Some(table) == apart).await
    }

    /// Sends what is left and makes the tables visible: those of one database all at once.
    pub async fn commit(self) -> Result<()> {
        self.commit_those(|_| true).await
    }

    async fn commit_those(self, wanted: impl Fn(usize) -> bool) -> Result<()> {
        let rest = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            let mut rest = Filled::default();
            for (at, target) in tables.targets.iter_mut().enumerate() {
                if let RowTarget::Typed(builder) = &mut target.rows
                    && wanted(at)
                {
                    rest.take(at, builder)?;
                }
            }
            rest
        };
        self.send(rest).await?;
        let (context, keeps) = (self.context, self.states);
        context.scope.wait_for_turn().await?;
        let tables = self.tables.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Every load is complete before the first becomes visible.
        let mut fillings = tables.loaders.end().await?;
        let (mut parts, mut skipped) = (Vec::new(), Vec::new());
        let mut loads = Vec::new();
        for (at, target) in tables.targets.into_iter().enumerate() {
            let loaded = match (&target.loading, wanted(at)) {
                (Loading::Streaming(loaded), false) => {
                    skipped.push(*loaded);
                    continue;
                }
                (Loading::Deferred(_), false) => continue,
                (Loading::Streaming(loaded), true) => Some(*loaded),
                (Loading::Deferred(_), true) => None,
            };
            if let RowTarget::Typed(builder) = &target.rows
                && let Some(warning) = never_seen(&target.name, builder)
            {
                context.warn(warning).await;
            }
            let loaded = match (loaded, target.loading, target.rows) {
                (None, Loading::Deferred(waiting), RowTarget::Open(spool)) => {
                    deferred_load(&context, &mut fillings, &waiting, spool).await?
                }
                (loaded, ..) => loaded,
            };
            loads.extend(loaded.map(|loaded| (at, loaded)));
            parts.extend(loaded.map(|loaded| (loaded, target.appended)));
        }
        // All rows are seen.
        let mut states = States::default();
        for (at, loaded) in loads {
            let Some(keeps) = &keeps else { continue };
            if let Some(filling) = fillings.get_mut(loaded.loader)
                && let Some(overlap) = keeps.overlap(at, filling.columns(loaded.table))?
            {
                filling.overlap(loaded.table, overlap);
            }
            if let Some(state) = keeps.rows(at)? {
                states.add(at, loaded, state);
            }
        }
        let kept = states.keep(&mut fillings).await?;
        committed(&context, fillings, parts, skipped).await?;
        kept.committed(keeps.as_deref());
        Ok(())
    }
}

/// Writes the rows of a table that waited for all of them.
async fn deferred_load(
    context: &StepContext,
    fillings: &mut Vec<Filling>,
    waiting: &DeferredLoad,
    spool: Spool,
) -> Result<Option<Loaded>> {
    let takes = |filling: &Filling| filling.takes(&waiting.database, &waiting.table);
    let loader = match fillings.iter().position(takes) {
        Some(at) => at,
        None => {
            fillings.push(Filling::new(&waiting.database));
            fillings.len() - 1
        }
    };
    let table = deferred::load(context, &mut fillings[loader], waiting, spool).await;
    let table = table.map_err(|e| match e.kind() {
        // Errors of values name their table themselves.
        ErrorKind::Value | ErrorKind::Data => e.at(&waiting.place),
        _ => e.about_table(&waiting.table.to_string()).at(&waiting.place),
    })?;
    Ok(table.map(|table| Loaded { loader, table }))
}

/// Makes loads visible; rows that an earlier attempt has added are not added again.
async fn committed(
    context: &StepContext,
    fillings: Vec<Filling>,
    parts: Vec<(Loaded, Option<Appended>)>,
    mut skipped: Vec<Loaded>,
) -> Result<()> {
    let (mut at, mut appended) = (Vec::new(), Vec::new());
    for (loaded, table) in parts {
        if let Some(table) = table {
            let rows = fillings.get(loaded.loader).map(|f| f.rows(loaded.table));
            appended.push(Appended { rows, ..table });
            at.push(loaded);
        }
    }
    let there = appends::before_commit(context, &appended).await?;
    let known = at.into_iter().zip(there).filter(|(_, there)| *there);
    skipped.extend(known.map(|(loaded, _)| loaded));
    for (loader, filling) in fillings.into_iter().enumerate() {
        let of_it = skipped.iter().filter(|loaded| loaded.loader == loader);
        let skipped: Vec<usize> = of_it.map(|loaded| loaded.table).collect();
        context.run.journal.effect(filling.commit(&skipped)).await?;
    }
    Ok(())
}

impl Tables {
    /// Where a table is being loaded; none where it waits for its rows.
    fn loaded(&self, table: usize) -> Option<Loaded> {
        match &self.targets.get(table)?.loading {
            Loading::Streaming(loaded) => Some(*loaded),
            Loading::Deferred(_) => None,
        }
    }

    /// Has the rows of a page looked at, where that says whether there are more.
    fn look_at_page(&mut self, of: u64) -> Result<()> {
        let Tables { targets, filled, .. } = self;
        for (at, target) in targets.iter_mut().enumerate() {
            let tracker = target.tracker.as_ref().filter(|tracker| tracker.looks_at_pages());
            if let (Some(tracker), RowTarget::Typed(builder)) = (tracker, &mut target.rows) {
                filled.take(at, builder)?;
                // Those that got full on the way are its, too.
                let own = filled.batches.iter().filter(|(table, _)| *table == at);
                for (_, batch) in own {
                    tracker.page(of, &batch.rows)?;
                }
            }
        }
        Ok(())
    }

    /// Gives the rows of each declared table from now on these values.
    pub fn give(&mut self, values: &[Vec<GivenValue>]) -> Result<()> {
        for (target, values) in self.targets.iter_mut().zip(values) {
            if !values.is_empty() {
                target.rows.give(values)?;
            }
        }
        Ok(())
    }
}

impl ParserTables for Tables {
    fn find(&mut self, named: NamedTable) -> Result<usize> {
        if self.declared > 0 {
            let name = named.table.unwrap_or_default();
            let names = || self.targets.iter().map(|t| t.name.as_str());
            let same = names().position(|n| n == name);
            return same
                .or_else(|| names().position(|n| n.eq_ignore_ascii_case(&name)))
                .ok_or_else(|| {
                    let message = format!(
                        "the parser returns table `{name}`, which `response.tables` does not declare"
                    );
                    let near = sequor_planner::did_you_mean(&name, "declared tables", names());
                    Error::new(ErrorKind::Data, message).help(near.unwrap_or_default())
                });
        }
        let load = DeferredLoad::named(&self.context, named, &self.defaults)?;
        let known = self.targets.iter().position(|t| match &t.loading {
            Loading::Deferred(known) => known.is_same(&load),
            Loading::Streaming(_) => false,
        });
        if let Some(at) = known {
            return Ok(at);
        }
        self.targets.push(Target {
            appended: appended(&load.source, &load.database, &load.table, &load.mode),
            tracker: None,
            name: load.table.table.clone(),
            rows: RowTarget::Open(Spool::default()),
            loading: Loading::Deferred(Box::new(load)),
        });
        Ok(self.targets.len() - 1)
    }

    fn with(
        &mut self,
        at: usize,
        append: &mut dyn FnMut(&mut RowTarget, &mut OnFull<'_>) -> Result<u64>,
    ) -> Result<u64> {
        let Tables { targets, filled, .. } = self;
        append(&mut targets[at].rows, &mut |builder| filled.take(at, builder))
    }

    fn declared(&self) -> Vec<String> {
        let declared = self.targets[..self.declared].iter();
        declared.map(|t| t.name.clone()).collect()
    }
}
