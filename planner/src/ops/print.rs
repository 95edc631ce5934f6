//! `print`: a message on standard output.

use serde::{Deserialize, Serialize};

use super::Operation;
use super::common::{COMMON, FlowAction};
use super::plain::{Plain, PlainOperation};
use crate::effects::{Effects, FlowScope, Resource};
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Form, Key, Shape};

/// `print`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Print {
    pub message: Prop,
}

pub(super) const OPERATION: Operation = Operation {
    shape: &Shape {
        what: "a print",
        doc: "Prints a message on standard output.",
        with: &[&COMMON],
        keys: &[Key::new("message", Form::Value, "What is printed.")],
    },
    read: |keys, d| {
        let message = keys
            .prop("message", d)
            .unwrap_or(Prop::Literal(serde_json::Value::Null));
        Some(FlowAction::plain(Plain::Print(Print { message })))
    },
};

impl PlainOperation for Print {
    fn plan(&mut self, effects: &mut Effects, scope: &FlowScope<'_>) -> Vec<(String, Place)> {
        effects.read_uses(&self.message.uses(), scope);
        effects.writes.insert(Resource::Console);
        Vec::new()
    }

    fn summary(&self) -> String {
        self.message.in_short()
    }
}
