//! Steps that steer: `if`, `for_each`, `while`, `try`, `block` and `run_flow`.

use super::common::{COMMON, FlowAction, FlowStep};
use super::rows::{self, ROWS, RowsOf};
use super::{Operation, read_steps};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Node, Scalar, Shape, Value};

/// One condition of an `if` and what follows from it.
#[derive(Debug, Clone)]
pub struct Branch {
    pub condition: Prop,
    pub condition_place: Place,
    pub then: Vec<FlowStep>,
}

/// `for_each`.
#[derive(Debug, Clone)]
pub struct ForEach {
    pub rows: RowsOf,
    pub steps: Vec<FlowStep>,
}

/// `while`.
#[derive(Debug, Clone)]
pub struct While {
    pub condition: Prop,
    pub condition_place: Place,
    pub steps: Vec<FlowStep>,
    pub max_iterations: Option<u64>,
}

/// `try`.
#[derive(Debug, Clone)]
pub struct Try {
    pub steps: Vec<FlowStep>,
    pub catch: Vec<FlowStep>,
    /// Whether there is a `catch`, even an empty one: then an error ends here.
    pub catches: bool,
    pub finally: Vec<FlowStep>,
}

/// `run_flow`.
#[derive(Debug, Clone)]
pub struct RunFlow {
    pub flow: String,
    pub flow_place: Place,
    pub parameters: Option<Prop>,
    /// Position of the first step that is run, from 0.
    pub start_step: usize,
}

static CONDITION: Shape = Shape {
    what: "a condition of an if",
    doc: "A condition and the steps that follow from it.",
    with: &[],
    keys: &[
        Key::new(
            "condition",
            Form::Text,
            "True when its text is `true`, in any case.",
        )
        .required(),
        Key::new(
            "then",
            Form::Steps,
            "Steps that run when it is the first condition that is true.",
        )
        .required(),
    ],
};

pub(super) const IF: Operation = Operation {
    shape: &Shape {
        what: "an if",
        doc: "Runs the steps of the first condition that is true.",
        with: &[&COMMON],
        keys: &[
            Key::new(
                "conditions",
                Form::List(&CONDITION),
                "Conditions, looked at in order.",
            ),
            Key::new("else", Form::Steps, "Steps that run when no condition is true."),
        ],
    },
    read: |keys, d| {
        let branches = keys.list("conditions", d, read_branch);
        let otherwise = steps("else", keys, d);
        Some(FlowAction::If { branches, otherwise })
    },
};

fn read_branch(node: &Node, d: &mut Diagnostics) -> Option<Branch> {
    let keys = Keys::new(node, &CONDITION, d)?;
    let condition = keys.prop("condition", d);
    let then = steps("then", &keys, d);
    Some(Branch {
        condition: condition?,
        condition_place: keys.place_of("condition").unwrap_or(keys.place()).clone(),
        then,
    })
}

pub(super) const FOR_EACH: Operation = Operation {
    shape: &Shape {
        what: "a for_each",
        doc: "Runs steps once per row of a table or query, or per value of a list, in order.",
        with: &[&COMMON, &ROWS],
        keys: &[Key::new("steps", Form::Steps, "What runs for each row.").required()],
    },
    read: |keys, d| {
        let rows = rows::read(keys, d);
        let steps = steps("steps", keys, d);
        Some(FlowAction::ForEach(Box::new(ForEach { rows: rows?, steps })))
    },
};

pub(super) const WHILE: Operation = Operation {
    shape: &Shape {
        what: "a while",
        doc: "Runs steps again and again while a condition is true.",
        with: &[&COMMON],
        keys: &[
            Key::new(
                "condition",
                Form::Text,
                "Looked at before each round; true when its text is `true`, in any case.",
            )
            .required(),
            Key::new("steps", Form::Steps, "What runs in each round.").required(),
            Key::new(
                "max_iterations",
                Form::Count,
                "How many rounds there may be: the step fails when the condition is true once more.",
            ),
        ],
    },
    read: |keys, d| {
        let condition = keys.prop("condition", d);
        let steps = steps("steps", keys, d);
        let max_iterations = keys.count("max_iterations", d);
        Some(FlowAction::While(While {
            condition: condition?,
            condition_place: keys.place_of("condition").unwrap_or(keys.place()).clone(),
            steps,
            max_iterations,
        }))
    },
};

pub(super) const TRY: Operation = Operation {
    shape: &Shape {
        what: "a try",
        doc: "Runs steps; when one fails, `catch` runs and the flow goes on.",
        with: &[&COMMON],
        keys: &[
            Key::new("steps", Form::Steps, "What is tried.").required(),
            Key::new(
                "catch",
                Form::Steps,
                "Steps that run when one of `steps` failed, with the message in `var('error')`. Without `catch` the error goes on.",
            ),
            Key::new(
                "finally",
                Form::Steps,
                "Steps that run at the end, whatever happened.",
            ),
        ],
    },
    read: |keys, d| {
        Some(FlowAction::Try(Try {
            steps: steps("steps", keys, d),
            catch: steps("catch", keys, d),
            catches: keys.has("catch"),
            finally: steps("finally", keys, d),
        }))
    },
};

pub(super) const BLOCK: Operation = Operation {
    shape: &Shape {
        what: "a block",
        doc: "Groups steps under one id.",
        with: &[&COMMON],
        keys: &[Key::new("steps", Form::Steps, "The steps of the block.").required()],
    },
    read: |keys, d| Some(FlowAction::Block(steps("steps", keys, d))),
};

pub(super) const RUN_FLOW: Operation = Operation {
    shape: &Shape {
        what: "a run_flow",
        doc: "Runs another flow of the project. It sees its parameters and no other local variable.",
        with: &[&COMMON],
        keys: &[
            Key::new(
                "flow",
                Form::Name,
                "The flow: its path below flows/, without .yaml.",
            )
            .required()
            .deferred(),
            Key::new("parameters", Form::Entries, "Local variables of the called flow.").or("params"),
            Key::new(
                "start_step",
                Form::Label,
                "Position of the first step that is run, from 0.",
            )
            .deferred(),
        ],
    },
    read: |keys, d| {
        let parameters = keys.prop("parameters", d);
        let start_step = start_step(keys, d);
        let (flow, flow_place) = keys.name("flow", d)?;
        Some(FlowAction::RunFlow(RunFlow {
            flow,
            flow_place,
            parameters,
            start_step: usize::try_from(start_step).unwrap_or(usize::MAX),
        }))
    },
};

/// A position as Python's `int` reads it: 1, 1.7, `"1"`, true.
fn start_step(keys: &Keys<'_>, d: &mut Diagnostics) -> u64 {
    if keys.is_deferred("start_step", d) {
        keys.name("start_step", d);
        return 0;
    }
    let Some(node) = keys.node("start_step") else {
        return 0;
    };
    let position = match &node.value {
        Value::Scalar(Scalar::Number(n)) => n
            .as_u64()
            .or_else(|| n.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64)),
        Value::Scalar(Scalar::Bool(b)) => Some(u64::from(*b)),
        Value::Scalar(Scalar::Text { text, .. }) => text.trim().parse().ok(),
        _ => None,
    };
    position.unwrap_or_else(|| {
        let message = match node.as_text() {
            Some(text) => {
                format!("`start_step` of a run_flow must be a whole number from 0, and is `{text}`")
            }
            None => format!(
                "`start_step` of a run_flow must be a whole number from 0, not {}",
                node.kind()
            ),
        };
        d.error(Code::WrongType, node.place.clone(), message);
        0
    })
}

fn steps(key: &str, keys: &Keys<'_>, d: &mut Diagnostics) -> Vec<FlowStep> {
    keys.node(key).map(|node| read_steps(node, d)).unwrap_or_default()
}
