//! `transform`: a table becomes the result of a query.

use serde::{Deserialize, Serialize};

use super::Operation;
use super::across::reach;
use super::common::{COMMON, FlowAction};
use super::incremental::WINDOW;
use super::plain::{Plain, PlainOperation};
use super::since::{self, SINCE, Since};
use super::table::TableRef;
use super::write_mode::{WRITE_MODE, WriteMode, read_write_mode};
use crate::effects::{Effects, FlowScope};
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Form, Key, Shape};

/// `transform`: the target becomes the result of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transform {
    pub query: Prop,
    pub target: TableRef,
    pub write_mode: WriteMode,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Engine::is_warehouse")]
    pub engine: Engine,
    /// How it computes only what is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<Since>,
    /// Where the query stands.
    #[serde(skip)]
    pub query_place: Place,
}

/// What runs the query of a transform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// What the tables that it names are: the compiler settles it.
    #[default]
    Auto,
    /// The database of the target.
    Warehouse,
    /// DataFusion, over tables of any source.
    Local,
    /// The same, since the query names tables of other sources - unless the database has schemas of those names.
    Across,
}

impl Engine {
    /// Tells whether the query runs here, as far as the plan knows.
    pub fn is_local(self) -> bool {
        matches!(self, Engine::Local | Engine::Across)
    }

    fn is_warehouse(&self) -> bool {
        !self.is_local()
    }
}

/// The engines by their names.
const ENGINES: [(&str, Engine); 2] = [("warehouse", Engine::Warehouse), ("local", Engine::Local)];

pub(super) const OPERATION: Operation = Operation {
    shape: &Shape {
        what: "a transform",
        doc: "Runs a query where its data is; the target becomes its result.",
        with: &[&COMMON, &WRITE_MODE],
        keys: &[
            Key::new("source", Form::Name, "The database source.")
                .required()
                .deferred(),
            Key::new("query", Form::Text, "One query.").required().filled(),
            Key::new("target_table", Form::Text, "The table that gets the rows.")
                .required()
                .filled(),
            Key::new("target_database", Form::Text, "The database of the target."),
            Key::new("target_namespace", Form::Text, "The schema of the target."),
            Key::new(
                "engine",
                Form::Choice(&["warehouse", "local"]),
                "What runs the query: `warehouse`, the database of the target; `local`, DataFusion, where tables of other sources are named `source.table`.",
            ).default("`local` if the query names such a table, else `warehouse`"),
            Key::new(
                "incremental",
                Form::Map(&SINCE),
                "Computes only what is new: `{{ var('window')['start'] }}` is how far the target's rows reach.",
            ),
        ],
    },
    read: |keys, d| {
        let query = keys.prop("query", d);
        let table = keys.prop("target_table", d);
        let database = keys.prop("target_database", d);
        let namespace = keys.prop("target_namespace", d);
        let write_mode = read_write_mode(keys, d);
        let incremental = match keys.node("incremental").map(|node| since::read(node, d)) {
            Some(None) => return None,
            read => read.flatten(),
        };
        since::check(&write_mode, incremental.as_ref(), keys, d);
        let engine = keys.pick("engine", &ENGINES, d).unwrap_or_default();
        let (source, place) = keys.name("source", d)?;
        let query_place = keys.place_of("query").unwrap_or(&place).clone();
        Some(FlowAction::plain(Plain::Transform(Transform {
            query: query?,
            target: TableRef {
                source,
                database,
                namespace,
                table: table?,
                place,
            },
            write_mode,
            engine,
            incremental,
            query_place,
        })))
    },
};

impl PlainOperation for Transform {
    fn databases(&self) -> Vec<(&str, &Place)> {
        vec![(&self.target.source, &self.target.place)]
    }

    fn fills(&self) -> Option<(&TableRef, Option<&WriteMode>)> {
        Some((&self.target, Some(&self.write_mode)))
    }

    fn plan(&mut self, effects: &mut Effects, scope: &FlowScope<'_>) -> Vec<(String, Place)> {
        let mut bound = scope.bound.to_vec();
        bound.extend(self.incremental.iter().map(|_| WINDOW.to_string()));
        let inside = FlowScope {
            bound: &bound,
            ..*scope
        };
        if let Some(since) = &self.incremental {
            effects.read_uses(&since.initial.uses(), scope);
        }
        let reach = reach(self, effects, &inside);
        let target = self.target.resource(effects, scope);
        if self.incremental.is_some() {
            // How far it got is what is there.
            effects.reads.insert(target.clone());
        }
        effects.writes.insert(target);
        self.engine = reach.engine;
        let sources = reach.sources.into_iter();
        sources.map(|source| (source, self.query_place.clone())).collect()
    }

    fn summary(&self) -> String {
        format!("{} = {}", self.target.in_short(), self.query.in_short())
    }

    fn notes(&self) -> Vec<String> {
        let written = self.write_mode.in_words(&self.target);
        let runs = match self.engine.is_local() {
            true => format!("SQL runs here, in DataFusion; {written}"),
            false => format!("SQL runs in {}; {written}", self.target.source),
        };
        let since = self
            .incremental
            .as_ref()
            .map(|since| since.in_words(&self.target));
        let start = self
            .incremental
            .iter()
            .filter_map(|since| since.estimated_start.as_ref());
        let start = start.map(|start| format!("estimate: computes from {start} on"));
        let unknown = self
            .incremental
            .iter()
            .filter_map(|since| since.not_estimated.as_ref());
        let unknown = unknown.map(|why| format!("estimate: not known before it runs: {why}"));
        std::iter::once(runs)
            .chain(since)
            .chain(start)
            .chain(unknown)
            .collect()
    }
}
