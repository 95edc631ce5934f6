//! `response.rules`: what a response means that its status does not say.

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Node, Shape};

/// What is done with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// The request is sent again, as often as `retry` allows.
    Retry,
    /// Nothing is taken from it, and no further page is asked for.
    Skip,
    /// The row is kept in the table of rejects.
    Reject,
    /// It is taken, and neither further pages nor further rows are asked for.
    Stop,
    /// The step fails.
    Fail,
}

const ACTIONS: [(&str, RuleAction); 5] = [
    ("retry", RuleAction::Retry),
    ("skip", RuleAction::Skip),
    ("reject", RuleAction::Reject),
    ("stop", RuleAction::Stop),
    ("fail", RuleAction::Fail),
];

/// A condition on responses and what follows from it. The first rule that holds counts, before the status does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub when: Prop,
    pub action: RuleAction,
    /// What is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Prop>,
    #[serde(skip)]
    pub place: Place,
}

/// A rule.
pub static RULE: Shape = Shape {
    what: "a rule",
    doc: "What a response means that its status does not say.",
    with: &[],
    keys: &[
        Key::new(
            "when",
            Form::Text,
            "True: the rule counts. For example `when_expression: response.json()['status'] == 'error'`.",
        )
        .required(),
        Key::new(
            "action",
            Form::Choice(&["retry", "skip", "reject", "stop", "fail"]),
            "`retry` sends the request again, `skip` takes nothing from the response, `reject` keeps the row in the table of rejects, `stop` takes it and asks no more, `fail` fails the step.",
        )
        .required(),
        Key::new("message", Form::Text, "What is reported, where the rule fails or rejects."),
    ],
};

/// Reads a rule.
pub fn read(node: &Node, d: &mut Diagnostics) -> Option<Rule> {
    let keys = Keys::new(node, &RULE, d)?;
    let (when, message) = (keys.prop("when", d), keys.prop("message", d));
    let action = match keys.defers("action", d) {
        true => RuleAction::Fail,
        false => keys.pick("action", &ACTIONS, d)?,
    };
    if let Some(Prop::Literal(value)) = &when {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        if !text.eq_ignore_ascii_case("true") {
            let place = keys.place_of("when").cloned();
            d.error(
                Code::BadValue,
                place,
                format!("the rule never counts: `when` is always {text}"),
            )
            .help("write Python as `when_expression`, and Jinja in `{{ }}`");
        }
    }
    Some(Rule {
        when: when?,
        action,
        message,
        place: node.place.clone(),
    })
}
