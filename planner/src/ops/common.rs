//! What every step has, whatever its operation.

use serde::{Deserialize, Serialize};

use super::control::{Branch, ForEach, RunFlow, Try, While};
use super::deferred::Deferred;
use super::http_request::HttpRequest;
use super::plain::Plain;
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Shape};

/// The keys of every step.
pub static COMMON: Shape = Shape {
    what: "a step",
    doc: "A step of a flow.",
    with: &[],
    keys: &[
        Key::new("op", Form::Name, "The operation.").required(),
        Key::new(
            "id",
            Form::Id,
            "The step's name: for `depends_on`, `--op-id` and messages. A name that several steps have can't be used to point at one.",
        ),
        Key::new("title", Form::Label, "What the step is for, shown when it runs."),
        Key::new("description", Form::Label, "What the step is for, at length."),
        Key::new(
            "depends_on",
            Form::Ids,
            "Ids of steps above that must be done before this one starts.",
        ),
        Key::new(
            "after",
            Form::Ids,
            "Ids of steps above that this one waits for in place of the barriers before it: steps whose work can't be held back. `[]`: none.",
        ),
        Key::new(
            "timeout",
            Form::Duration,
            "How long the step may take, the steps inside it included; then it is stopped and has failed.",
        ),
        Key::new("enabled", Form::Flag, "`false` leaves the step out.").default("`true`").planned(),
        Key::new(
            "on_error",
            Form::Choice(&["stop", "continue", "reject", "split"]),
            "What a failure of the step means: `stop` fails the flow, `continue` reports it and goes on; `reject`, with one request per row, keeps the rows whose request failed in the table `<id>_rejects`; `split`, with a `batch_size`, halves a batch that failed down to the guilty rows and rejects those.",
        ).default("`stop`")
        .planned(),
    ],
};

/// What a failure of a step means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The flow fails.
    #[default]
    Stop,
    /// It is reported, and the flow goes on as if the step had succeeded.
    Continue,
    /// A row of a fan-out that fails for good is kept in a table of rejects, and the others go on.
    Reject,
    /// A batch that fails for good is halved, down to the rows that are guilty: they are rejected.
    Split,
}

/// A step as its flow's file says it.
#[derive(Debug, Clone)]
pub struct FlowStep {
    pub op: &'static str,
    pub id: Option<(String, Place)>,
    pub title: Option<String>,
    pub depends_on: Vec<(String, Place)>,
    /// What it waits for in place of barriers; none: of every barrier before it.
    pub after: Option<Vec<(String, Place)>>,
    pub enabled: bool,
    pub on_error: OnError,
    /// Seconds it may take.
    pub timeout: Option<f64>,
    /// What only the run knows of it.
    pub deferred: Option<Deferred>,
    /// Where `op` stands.
    pub place: Place,
    pub action: FlowAction,
}

/// The operation of a step, with its keys read.
#[derive(Debug, Clone)]
pub enum FlowAction {
    HttpRequest(Box<HttpRequest>),
    /// One without steps inside.
    Plain(Box<Plain>),
    If {
        branches: Vec<Branch>,
        otherwise: Vec<FlowStep>,
    },
    ForEach(Box<ForEach>),
    While(While),
    Try(Try),
    Block(Vec<FlowStep>),
    RunFlow(RunFlow),
}

impl FlowStep {
    /// Tells whether the steps inside are one step to those around, and not steps among them.
    pub fn stands_apart(&self) -> bool {
        self.on_error != OnError::Stop || self.timeout.is_some() || self.deferred.is_some()
    }
}

impl FlowAction {
    /// Returns an operation without steps inside.
    pub fn plain(plain: Plain) -> FlowAction {
        FlowAction::Plain(Box::new(plain))
    }

    /// Returns the lists of steps inside, in the order written.
    pub fn inner(&self) -> Vec<&[FlowStep]> {
        match self {
            FlowAction::If { branches, otherwise } => {
                let branches = branches.iter().map(|b| b.then.as_slice());
                branches.chain([otherwise.as_slice()]).collect()
            }
            FlowAction::ForEach(each) => vec![&each.steps],
            FlowAction::While(looped) => vec![&looped.steps],
            FlowAction::Try(tried) => vec![&tried.steps, &tried.catch, &tried.finally],
            FlowAction::Block(steps) => vec![steps],
            _ => Vec::new(),
        }
    }
}

/// Calls `f` with every step of the list and inside it.
pub fn each_step<'s>(steps: &'s [FlowStep], f: &mut impl FnMut(&'s FlowStep)) {
    for step in steps {
        f(step);
        for inner in step.action.inner() {
            each_step(inner, f);
        }
    }
}

/// The common keys, before the action is known.
pub(super) struct Common {
    op: &'static str,
    id: Option<(String, Place)>,
    title: Option<String>,
    depends_on: Vec<(String, Place)>,
    after: Option<Vec<(String, Place)>>,
    enabled: bool,
    on_error: OnError,
    timeout: Option<f64>,
    place: Place,
}

impl Common {
    pub(super) fn with(self, action: FlowAction) -> FlowStep {
        FlowStep {
            op: self.op,
            id: self.id,
            title: self.title,
            depends_on: self.depends_on,
            after: self.after,
            enabled: self.enabled,
            on_error: self.on_error,
            timeout: self.timeout,
            deferred: None,
            place: self.place,
            action,
        }
    }
}

/// Reads the keys that every step has.
pub(super) fn read(op: &'static str, place: Place, keys: &Keys<'_>, d: &mut Diagnostics) -> Common {
    let id = keys.label("id", d).and_then(|id| {
        let place = keys.place_of("id").cloned()?;
        let good = !id.trim().is_empty() && !id.contains(['\n', '\t']);
        if !good {
            d.error(
                Code::BadValue,
                place.clone(),
                "a step's id must be one line of text",
            );
        }
        good.then_some((id, place))
    });
    let title = keys.label("title", d);
    keys.label("description", d);
    let depends_on = keys.texts("depends_on", "ids of steps", d);
    let after = keys.has("after").then(|| keys.texts("after", "ids of steps", d));
    let enabled = keys.flag("enabled", d).unwrap_or(true);
    let timeout = keys.duration("timeout", d);
    let on_error = match keys.choice("on_error", d) {
        Some("continue") => OnError::Continue,
        Some("reject") => OnError::Reject,
        Some("split") => OnError::Split,
        _ => OnError::Stop,
    };
    Common {
        op,
        id,
        title,
        depends_on,
        after,
        enabled,
        on_error,
        timeout,
        place,
    }
}
