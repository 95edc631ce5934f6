//! Names that may be views. What is behind a view can't be seen before the run, so reading one counts as reading
//! anything in its source. A name that the project itself fills as a table is none.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::effects::Resource;
use crate::expr::Prop;
use crate::ops::{FlowAction, FlowStep, each_step};
use crate::sql;
use crate::syntax::Source;

/// Tables that flows of the project make: source and name in lower case.
pub type KnownTables = BTreeSet<(String, String)>;

/// The tables that these steps make.
pub fn collect(steps: &[FlowStep], sources: &IndexMap<String, Source>, known: &mut KnownTables) {
    let mut add = |source: &str, table: &str| {
        known.insert((source.to_string(), table.to_lowercase()));
    };
    each_step(steps, &mut |step| match &step.action {
        FlowAction::HttpRequest(request) => {
            let tables = request.response.tables.iter().map(|t| &t.target);
            tables.for_each(|target| {
                target.table.as_text().iter().for_each(|name| add(&target.source, name));
            });
        }
        FlowAction::Transform(transform) => {
            let target = &transform.target;
            target.table.as_text().iter().for_each(|name| add(&target.source, name));
        }
        FlowAction::MigrateSchema(migrate) => {
            let target = &migrate.target;
            target.table.as_text().iter().for_each(|name| add(&target.source, name));
        }
        FlowAction::Execute(execute) => {
            let text = match &execute.statement {
                Prop::Literal(text) => text.as_str(),
                Prop::Jinja { code, .. } => Some(&*code.text),
                _ => None,
            };
            let dialect = sources.get(&execute.source).and_then(Source::dialect);
            if let (Some(text), Some(dialect)) = (text, dialect)
                && let Ok(found) = sql::analyse(text, dialect)
            {
                found.creates.iter().for_each(|t| add(&execute.source, &t.table));
            }
        }
        _ => {}
    });
}

/// Adds what reading views reads.
pub fn look_behind(reads: &mut BTreeSet<Resource>, sources: &IndexMap<String, Source>, known: &KnownTables) {
    let behind: Vec<Resource> = reads
        .iter()
        .filter_map(|resource| match resource {
            Resource::Table { source, table, .. } => {
                let has_views = sources.get(source)?.dialect()?.has_views();
                let is_table = known.contains(&(source.clone(), table.to_lowercase()));
                (has_views && !is_table).then(|| Resource::Source(source.clone()))
            }
            _ => None,
        })
        .collect();
    reads.extend(behind);
}
