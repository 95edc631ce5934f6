//! `response.rules`: what a response means that its status does not say.

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Node, Shape, read_statuses};

/// What is done with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// The request is sent again, as often as `retry` allows.
    Retry,
    /// Nothing is taken from it. Where all responses of a step are skipped, its tables stay as they are.
    Skip,
    /// The row is kept in the table of rejects.
    Reject,
    /// It is taken, and neither further pages nor further rows are asked for.
    Stop,
    /// The step fails.
    Fail,
    /// The step is done, and its tables stay as they are.
    Keep,
}

const ACTIONS: [(&str, RuleAction); 6] = [
    ("retry", RuleAction::Retry),
    ("skip", RuleAction::Skip),
    ("reject", RuleAction::Reject),
    ("stop", RuleAction::Stop),
    ("fail", RuleAction::Fail),
    ("keep", RuleAction::Keep),
];

/// A condition on responses and what follows from it. The first rule that holds counts, before the status does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Statuses that it counts for; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Prop>,
    pub action: RuleAction,
    /// The positions, from 0, of the rows of a batch that are rejected; none: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Prop>,
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
            "status",
            Form::Statuses,
            "The rule counts for responses with these statuses; with `when` where both hold.",
        )
        .deferred(),
        Key::new(
            "when",
            Form::Text,
            "True: the rule counts. For example `when_expression: response.json()['status'] == 'error'`.",
        ),
        Key::new(
            "action",
            Form::Choice(&["retry", "skip", "reject", "stop", "fail", "keep"]),
            "`retry` sends the request again, `skip` takes nothing from the response, `reject` keeps the row in the table of rejects, `stop` takes it and asks no more, `fail` fails the step, `keep` ends it and leaves its tables as they are.",
        )
        .required(),
        Key::new(
            "rows",
            Form::Code,
            "With `reject` and a `batch_size`: the positions, from 0, of the rows of the batch that are rejected; the others are done.",
        ),
        Key::new("message", Form::Text, "What is reported, where the rule fails or rejects."),
    ],
};

/// Reads a rule.
pub fn read(node: &Node, d: &mut Diagnostics) -> Option<Rule> {
    let keys = Keys::new(node, &RULE, d)?;
    let (when, message) = (keys.prop("when", d), keys.prop("message", d));
    let status = read_statuses(&keys, "status", d).unwrap_or_default();
    // What is blank is no condition: the rule would hold for every response.
    let empty = when.is_none() && status.is_empty() && !keys.defers("status", d);
    if empty {
        d.error(
            Code::MissingKey,
            node.place.clone(),
            "a rule needs `when_expression` or `status`",
        )
        .help("for example `{status: [403, 404], action: skip}`");
    }
    let action = match keys.defers("action", d) {
        true => RuleAction::Fail,
        false => keys.pick("action", &ACTIONS, d)?,
    };
    let rows = keys.prop("rows", d);
    if rows.is_some() && action != RuleAction::Reject && !keys.defers("action", d) {
        let place = keys.place_of("rows").or(Some(&node.place)).cloned();
        d.error(Code::BadValue, place, "`rows_expression` is for `action: reject`")
            .help("it says which rows of a batch are rejected");
    }
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
    (!empty).then(|| Rule {
        status,
        when,
        rows,
        action,
        message,
        place: node.place.clone(),
    })
}
