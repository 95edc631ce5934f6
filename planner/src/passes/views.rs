//! Names that may be views. What is behind a view can't be seen before the run, so reading one counts as reading
//! anything in its source. A name that the project itself fills as a table is none.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::{PassContext, SelectError};
use crate::effects::Resource;
use crate::expr::{Prop, Returned};
use crate::names::name_parts;
use crate::ops::{Columns, FlowAction, FlowStep, ResponseSpec, ResponseTable, TableRef, each_step};
use crate::plan::Plan;
use crate::sql::{self, SqlTable};
use crate::syntax::Source;

/// Tables that flows of the project make, by source and name in lower case.
#[derive(Debug, Clone, Default)]
pub struct KnownTables {
    /// Tables for sure, not views.
    pub tables: BTreeSet<(String, String)>,
    /// Everything that is made, views too.
    pub made: BTreeSet<(String, String)>,
    /// The columns of tables that only declared loads fill, in lower case; none where something else makes the table.
    pub columns: BTreeMap<(String, String), Option<BTreeSet<String>>>,
    /// Sources in which flows make things whose names only the run knows.
    pub opaque: BTreeSet<String>,
}

impl KnownTables {
    fn table(&mut self, source: &str, name: Option<&str>) {
        let parts = name.and_then(name_parts);
        let Some(name) = parts.and_then(|mut parts| parts.pop()).map(|part| part.text) else {
            self.opaque.insert(source.to_string());
            return;
        };
        let key = (source.to_string(), name.to_lowercase());
        self.columns.insert(key.clone(), None);
        self.tables.insert(key.clone());
        self.made.insert(key);
    }

    fn loaded(&mut self, table: &ResponseTable) {
        let known = table.target.table.as_text().map(|name| {
            let key = (table.target.source.clone(), name.to_lowercase());
            let before = self.columns.get(&key).cloned();
            (key, before)
        });
        self.target(&table.target);
        // What else made the table before leaves its columns unknown.
        if let (Some((key, before)), Columns::Declared(columns)) = (known, &table.columns)
            && before != Some(None)
        {
            let mut all = before.flatten().unwrap_or_default();
            all.extend(columns.iter().map(|c| c.name.to_lowercase()));
            self.columns.insert(key, Some(all));
        }
    }

    fn target(&mut self, target: &TableRef) {
        self.table(&target.source, target.table.as_text());
    }

    /// A parser that fills tables which are not declared.
    fn parser(&mut self, response: &ResponseSpec, sources: &IndexMap<String, Source>) {
        let Some(returns) = response.parser.as_ref().and_then(Prop::returns) else {
            return;
        };
        let Some(tables) = &returns.tables else {
            self.opaque.extend(sources.keys().cloned());
            return;
        };
        for table in tables {
            let source = match &table.source {
                Returned::Literal(source) => Some(source.as_str()),
                Returned::Left => response.defaults.source.as_deref(),
                Returned::Any => None,
            };
            let name = match &table.table {
                Returned::Literal(name) => Some(name.as_str()),
                Returned::Left => response.defaults.table.as_ref().and_then(Prop::as_text),
                Returned::Any => None,
            };
            match source {
                Some(source) => self.table(source, name),
                None => self.opaque.extend(sources.keys().cloned()),
            }
        }
    }

    fn statements(&mut self, source: &str, statements: &Prop, sources: &IndexMap<String, Source>) {
        let text = match statements {
            Prop::Literal(text) => text.as_str(),
            Prop::Jinja { code, .. } => Some(&*code.text),
            _ => None,
        };
        let dialect = sources.get(source).and_then(Source::dialect);
        let found = match (text, dialect) {
            (Some(text), Some(dialect)) => sql::analyse(text, dialect).ok(),
            _ => None,
        };
        let Some(found) = found.filter(|found| !found.writes_any) else {
            self.opaque.insert(source.to_string());
            return;
        };
        let key = |t: &SqlTable| (source.to_string(), t.table.to_lowercase());
        self.tables.extend(found.creates.iter().map(key));
        for made in found.creates.iter().chain(&found.writes).map(key) {
            self.columns.insert(made.clone(), None);
            self.made.insert(made);
        }
    }
}

/// Returns the tables that the steps of a flow make.
pub fn collect(flow: &str, steps: &[FlowStep], sources: &IndexMap<String, Source>, known: &mut KnownTables) {
    each_step(steps, &mut |step| {
        // Which source, and which tables, only the run knows.
        let anywhere = |key: &str| matches!(key, "source" | "target_source" | "tables");
        let mut keys = step.deferred.iter().flat_map(|d| &d.keys).map(|k| k.key.as_str());
        if keys.any(anywhere) {
            known.opaque.extend(sources.keys().cloned());
        }
        made_by(flow, step, sources, known);
    });
}

fn made_by(flow: &str, step: &FlowStep, sources: &IndexMap<String, Source>, known: &mut KnownTables) {
    match &step.action {
        FlowAction::HttpRequest(request) => {
            let response = &request.response;
            response.tables.iter().for_each(|t| known.loaded(t));
            if response.tables.is_empty() {
                known.parser(response, sources);
            }
            let name = step.id.as_ref().map(|(id, _)| id.as_str()).unwrap_or_default();
            request
                .rejects(step.on_error, name)
                .iter()
                .for_each(|table| known.target(table));
            let rows = request.for_each.as_ref();
            let snapshot = rows.and_then(|rows| rows.snapshot(flow, name));
            snapshot.iter().for_each(|table| known.target(table));
        }
        FlowAction::Plain(plain) => {
            if let Some((table, _)) = plain.operation().fills() {
                known.target(table);
            }
            if let Some((source, statements)) = plain.operation().statements() {
                known.statements(source, statements, sources);
            }
        }
        // Any flow may be the one that is called; each is looked at by itself.
        _ => {}
    }
}

/// Adds to each step what reading views reads.
pub fn look_behind(plan: &mut Plan, context: &PassContext<'_>) -> Result<(), SelectError> {
    plan.root.each_mut(&mut |step| {
        let behind: Vec<Resource> = step
            .reads
            .iter()
            .filter_map(|read| behind(read, context))
            .collect();
        let all: BTreeSet<Resource> = std::mem::take(&mut step.reads)
            .into_iter()
            .chain(behind)
            .collect();
        step.reads = all.into_iter().collect();
    });
    Ok(())
}

/// What reading a table reads besides, where it may be a view.
fn behind(read: &Resource, context: &PassContext<'_>) -> Option<Resource> {
    let Resource::Table { source, table, .. } = read else {
        return None;
    };
    let has_views = context.sources.get(source)?.dialect()?.has_views();
    let is_table = context
        .tables
        .tables
        .contains(&(source.clone(), table.to_lowercase()));
    (has_views && !is_table).then(|| Resource::Source(source.clone()))
}
