//! Rewrites of a plan, one file each, in the order they are made.

mod in_order;
mod lower;
mod order;
mod paths;
mod select;
pub mod views;

use indexmap::IndexMap;

pub use select::SelectError;
use views::KnownTables;

use crate::plan::Plan;
use crate::servers::Servers;
use crate::syntax::Source;

/// Which steps of a flow are planned, and how they follow each other.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Only the steps with these ids; empty: all.
    pub select: Vec<String>,
    /// Not the steps with these ids.
    pub exclude: Vec<String>,
    /// Whether steps and requests go one by one, in the order of the flow.
    pub in_order: bool,
}

/// What passes know besides the plan.
pub struct PassContext<'a> {
    pub sources: &'a IndexMap<String, Source>,
    /// Tables that flows of the project make.
    pub tables: &'a KnownTables,
    /// Sources that are one server.
    pub servers: &'a Servers,
    pub options: &'a PlanOptions,
}

/// A rewrite of a plan.
pub struct Pass {
    pub stage: CompilerStage,
    pub run: fn(&mut Plan, &PassContext<'_>) -> Result<(), SelectError>,
}

/// A stage of the compiler, for showing the plan as it is behind it.
#[derive(Debug, Clone, Copy)]
pub struct CompilerStage {
    pub name: &'static str,
    /// What it does, and why it stands where it stands.
    pub about: &'static str,
}

/// The stage before the passes.
pub const RESOLVE: CompilerStage = CompilerStage {
    name: "resolve",
    about: "Steps as written become steps of the plan: names are looked up, called flows take the place of their calls, and what each step reads and writes is found.",
};

/// The passes, in the order they are made.
pub static PASSES: &[Pass] = &[
    Pass {
        stage: CompilerStage {
            name: "paths",
            about: "Values of rows in the path of a url are encoded. First, since it changes what is written: what is lowered is what is sent.",
        },
        run: paths::encode,
    },
    Pass {
        stage: CompilerStage {
            name: "lower",
            about: "Python that needs no interpreter gets its native form. It looks at nothing else, so it is before all that look at what will run.",
        },
        run: lower::lower,
    },
    Pass {
        stage: CompilerStage {
            name: "views",
            about: "Reading what may be a view reads all of its source. Before `order`, which looks at what steps read.",
        },
        run: views::look_behind,
    },
    Pass {
        stage: CompilerStage {
            name: "order",
            about: "Steps wait for those they depend on. Behind all that changes what steps read and write.",
        },
        run: order::order,
    },
    Pass {
        stage: CompilerStage {
            name: "select",
            about: "Only the chosen steps stay. Behind `order`: what was ordered through a step that goes stays ordered.",
        },
        run: select::select,
    },
    Pass {
        stage: CompilerStage {
            name: "in_order",
            about: "Steps and requests go one by one, when that is asked for. Last: it replaces the order of those that are left.",
        },
        run: in_order::in_order,
    },
];
