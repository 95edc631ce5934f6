//! The plan: the contract between the compiler and whoever shows or executes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use crate::effects::Resource;
use crate::expr::{EachProp, Prop};
use crate::ops::{DeferredKey, FlowStep, OPERATIONS, OnError, Plain, RowsOf};
use crate::servers::Servers;
use crate::span::Place;
use crate::syntax::Source;

mod asks;
mod estimates;
mod http_step;
mod props;
mod shown;

pub use asks::{AskedRange, Asks, AsksFor, ChangeCounts, Synced};
pub use estimates::Estimates;
pub use http_step::{FanOut, HttpStep};

/// The version of the plan's JSON form.
pub const PLAN_VERSION: u32 = 1;

/// What running a flow means: steps, their order, and what each touches.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    pub version: u32,
    pub project: String,
    pub flow: String,
    /// Sources that the flow uses, in the order of their names.
    pub sources: Vec<PlannedSource>,
    /// How many flow frames (runs of one flow, each with its own local variables) there are; the first is the flow's own.
    pub frames: usize,
    /// Whether steps and requests go one by one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_order: bool,
    /// The code that needs the Python interpreter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub python: Vec<PythonCode>,
    pub root: Region,
}

/// Code that needs the Python interpreter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PythonCode {
    /// The step's id.
    pub step: String,
    /// The property's name, as written.
    pub property: String,
    pub place: Place,
}

impl Plan {
    /// Reads a plan from its JSON.
    ///
    /// # Errors
    /// What is no plan, or one of another version.
    pub fn from_json(json: serde_json::Value) -> serde_json::Result<Plan> {
        let mut plan: Plan = serde_json::from_value(json)?;
        if plan.version != PLAN_VERSION {
            let message = format!("a plan of version {}, not {PLAN_VERSION}", plan.version);
            return Err(serde::de::Error::custom(message));
        }
        let restore = &mut |step: &mut Step| step.each_prop_mut(&mut |prop| prop.restore());
        plan.root.each_mut(restore);
        let sources = plan.sources.iter_mut();
        sources.for_each(|source| source.definition.each_prop_mut(&mut |prop| prop.restore()));
        Ok(plan)
    }

    /// Tells whether a step sends only rows that have changed since it sent them.
    pub fn sends_changes(&self) -> bool {
        let mut sends = false;
        self.root
            .each(&mut |step| sends |= matches!(&step.action, Action::Http(http) if http.synced.is_some()));
        sends
    }

    /// Returns the SHA-256 of the plan's JSON, in hexadecimal: two plans with the same digest do the same.
    pub fn digest(&self) -> String {
        // A plan is data: nothing in it can fail to be JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{:x}", Sha256::digest(json))
    }
}

/// A source that the plan uses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedSource {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// How it is opened or asked; `***` stands for secrets that are given as plain values.
    pub definition: Source,
}

/// The name of an operation.
pub type OpName = &'static str;

/// The name of an operation, as the list of operations has it.
fn known_op<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = OPERATIONS
        .iter()
        .map(|(known, _)| *known)
        .find(|known| *known == name);
    known.ok_or_else(|| serde::de::Error::custom(format!("no operation is named `{name}`")))
}

/// Steps and the order between them: a directed acyclic graph.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Region {
    /// In the order of the flow.
    pub steps: Vec<Step>,
    /// By `to`, then `from`; edges that follow from others are left out.
    pub edges: Vec<Edge>,
    /// Steps by the earliest moment they can start: those of one stage can run at the same time.
    pub stages: Vec<Vec<usize>>,
    /// Edges that the flow asks for, until its steps are ordered.
    #[serde(skip)]
    pub(crate) asked: Vec<AskedEdge>,
}

/// An edge that the flow asks for, or that follows from its structure.
#[derive(Debug, Clone)]
pub(crate) struct AskedEdge {
    pub from: usize,
    pub to: usize,
    pub until: Until,
    pub reason: String,
}

impl Region {
    /// Calls `f` with every step, those inside others too.
    pub fn each<'r>(&'r self, f: &mut impl FnMut(&'r Step)) {
        for step in &self.steps {
            f(step);
            for (_, inner) in step.action.regions() {
                inner.each(f);
            }
        }
    }
}

impl Region {
    /// Returns the steps that a step is in, from the outermost; none where there is no such step.
    pub fn path_to(&self, id: &str) -> Option<Vec<&Step>> {
        self.steps.iter().find_map(|step| {
            if step.id == id {
                return Some(Vec::new());
            }
            let regions = step.action.regions().into_iter();
            let inside = regions
                .map(|(_, region)| region)
                .find_map(|region| region.path_to(id));
            inside.map(|mut path| {
                path.insert(0, step);
                path
            })
        })
    }

    /// Calls `f` with every step, those inside others too, to be changed.
    pub fn each_mut(&mut self, f: &mut impl FnMut(&mut Step)) {
        for step in &mut self.steps {
            f(step);
            step.action
                .regions_mut()
                .into_iter()
                .for_each(|inner| inner.each_mut(f));
        }
    }
}

/// Step `to` waits for step `from`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// What of step `from` is waited for.
    #[serde(default, skip_serializing_if = "Until::is_over")]
    pub until: Until,
    /// Why, in words: "reads orders, written by fetch_orders".
    pub reasons: Vec<String>,
}

/// What one step waits for of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Its work: the variables it sets can be read by those behind it before they are published.
    Work,
    /// Its end: what it does has taken effect, in its turn.
    #[default]
    Over,
}

impl Until {
    fn is_over(&self) -> bool {
        *self == Until::Over
    }
}

/// One step of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the plan: the step's `id`, or one made from its operation, below the steps around it.
    pub id: String,
    #[serde(deserialize_with = "known_op")]
    pub op: OpName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub place: Place,
    /// The run of a flow the step belongs to.
    pub frame: usize,
    #[serde(default, skip_serializing_if = "is_stop")]
    pub on_error: OnError,
    /// Seconds it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    pub reads: Vec<Resource>,
    pub writes: Vec<Resource>,
    /// Whether it sends requests that change something outside.
    pub outside: bool,
    /// Why what it does can't be held back until the steps before it are over, in words that follow its id; none: it
    /// can. Such a step is a barrier: it starts when all before it are over, and those behind it wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<String>,
    /// Whether it does not wait for barriers, and starts as one without waiting: `after`, or `order: relaxed`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
    /// What only the run knows of it: it is planned again when it starts. The action is what is known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfolds: Option<Box<Unfolds>>,
    pub action: Action,
}

/// A step that is planned again when it starts: parts of it are known only then, or it calls a flow that it is part of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unfolds {
    /// Values to be evaluated first, by their keys.
    pub keys: Vec<DeferredKey>,
    /// What it is planned from; none in a plan that was read: its project has it.
    #[serde(skip)]
    pub(crate) written: Option<Arc<Written>>,
}

/// A step as its flow has it, and where it stands.
#[derive(Debug)]
pub(crate) struct Written {
    pub step: FlowStep,
    /// Local variables of the flow around.
    pub locals: BTreeSet<String>,
    /// Rows of the for_each around.
    pub bound: Vec<String>,
    /// Sources that are one server.
    pub servers: Arc<Servers>,
    /// The flow that is run.
    pub flow: String,
}

fn is_stop(on_error: &OnError) -> bool {
    *on_error == OnError::Stop
}

impl Action {
    /// Returns the regions inside, in the order of the flow, each with what it is in words.
    pub fn regions(&self) -> Vec<(&'static str, &Region)> {
        match self {
            Action::If { branches, otherwise } => {
                let branches = branches.iter().map(|b| ("when", &b.then));
                branches.chain([("else", otherwise)]).collect()
            }
            Action::ForEach { body, .. } => vec![("for each row", body)],
            Action::While { body, .. } => vec![("each round", body)],
            Action::Try {
                steps,
                catch,
                finally,
            } => {
                let catch = catch.iter().map(|c| ("on an error", c));
                std::iter::once(("try", steps))
                    .chain(catch)
                    .chain([("at the end", finally)])
                    .collect()
            }
            Action::Group(body) => vec![("steps", body)],
            _ => Vec::new(),
        }
    }

    /// Returns the same regions, to be changed.
    pub fn regions_mut(&mut self) -> Vec<&mut Region> {
        match self {
            Action::If { branches, otherwise } => branches
                .iter_mut()
                .map(|b| &mut b.then)
                .chain([otherwise])
                .collect(),
            Action::ForEach { body, .. } | Action::While { body, .. } | Action::Group(body) => vec![body],
            Action::Try {
                steps,
                catch,
                finally,
            } => std::iter::once(steps).chain(catch).chain([finally]).collect(),
            _ => Vec::new(),
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Http(Box<HttpStep>),
    If {
        branches: Vec<PlannedBranch>,
        otherwise: Region,
    },
    ForEach {
        rows: Box<RowsOf>,
        /// The only columns that anyone needs; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        columns: Option<BTreeSet<String>>,
        body: Region,
    },
    /// The body is run again and again while the condition is true.
    While {
        condition: Prop,
        body: Region,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_iterations: Option<u64>,
    },
    /// When a step fails, `catch` runs and the error ends there; `finally` runs whatever happened.
    Try {
        steps: Region,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        catch: Option<Region>,
        finally: Region,
    },
    /// Steps that stand together: a block or called flow whose failure does not stop the flow.
    Group(Region),
    /// Another flow is called, and its steps are planned when it starts.
    Call {
        flow: String,
        parameters: Option<Prop>,
    },
    /// A called flow starts: its parameters become the local variables of its frame.
    EnterFlow {
        flow: String,
        frame: usize,
        parameters: Option<Prop>,
    },
    /// An operation without steps inside.
    #[serde(untagged)]
    Plain(Box<Plain>),
}

/// A condition and the steps that follow from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedBranch {
    pub condition: Prop,
    pub then: Region,
}
