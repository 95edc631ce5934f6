//! Transforms whose tables live in several sources: which they are, and where the query runs.

use indexmap::IndexMap;

use super::transform::{Engine, Transform};
use crate::dialect::Dialect;
use crate::effects::{Effects, FlowScope, Resource};
use crate::expr::Prop;
use crate::sql::{self, SqlTable};
use crate::syntax::Source;

/// What a transform's query reads.
pub struct Reach {
    pub engine: Engine,
    /// The sources that it reads tables of, where they are known.
    pub sources: Vec<String>,
}

/// Settles where a transform's query runs, and adds what it reads to the effects.
pub fn reach(transform: &Transform, effects: &mut Effects, scope: &FlowScope<'_>) -> Reach {
    let own = &transform.target.source;
    let text = match &transform.query {
        Prop::Literal(text) => text.as_str(),
        Prop::Jinja { code, .. } => Some(&*code.text),
        _ => None,
    };
    let warehouse = |effects: &mut Effects| {
        effects.sql_prop(own, &transform.query, scope, false);
        Reach {
            engine: Engine::Warehouse,
            sources: Vec::new(),
        }
    };
    if transform.engine == Engine::Warehouse {
        return warehouse(effects);
    }
    // The local engine reads SQL as staging does.
    let found = text.map(|text| sql::analyse(text, Dialect::Staging));
    let known = match found {
        Some(Ok(found)) if !found.reads_any => {
            let homes = found
                .reads
                .into_iter()
                .map(|table| home(table, own, scope.sources));
            Some(homes.collect::<Vec<_>>())
        }
        _ => None,
    };
    let elsewhere = known.iter().flatten().any(|(source, _)| source != own);
    if transform.engine == Engine::Auto && !elsewhere {
        return warehouse(effects);
    }
    effects.read_uses(&transform.query.uses(), scope);
    let Some(known) = known else {
        effects.reads.insert(Resource::AnySource);
        return Reach {
            engine: Engine::Local,
            sources: vec![own.clone()],
        };
    };
    let mut sources = vec![own.clone()];
    if transform.engine == Engine::Auto {
        // A schema of the database's own may be meant.
        effects.reads.insert(Resource::Source(own.clone()));
    }
    for (source, table) in known {
        effects.reads.insert(Resource::Table {
            source: source.clone(),
            database: table.database,
            namespace: table.namespace,
            table: table.table,
        });
        effects.queried.insert(source.clone());
        sources.push(source);
    }
    Reach {
        engine: match transform.engine {
            Engine::Auto => Engine::Across,
            engine => engine,
        },
        sources,
    }
}

/// The source that a table is in: the one that its first part names, else the transform's own.
fn home(table: SqlTable, own: &str, sources: &IndexMap<String, Source>) -> (String, SqlTable) {
    let database = |name: &String| {
        let found = sources
            .iter()
            .find(|(known, source)| known.eq_ignore_ascii_case(name) && source.dialect().is_some());
        found.map(|(known, _)| known.clone())
    };
    match (&table.database, &table.namespace) {
        (Some(first), _) if database(first).is_some() => {
            let source = database(first).unwrap_or_default();
            let rest = SqlTable {
                database: None,
                ..table
            };
            (source, rest)
        }
        (None, Some(first)) if database(first).is_some() => {
            let source = database(first).unwrap_or_default();
            let rest = SqlTable {
                namespace: None,
                ..table
            };
            (source, rest)
        }
        _ => (own.to_string(), table),
    }
}
