//! The answer that a dry run takes in place of the real one.

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::syntax::{Form, Key, Keys, Shape};

/// `mock` of an http_request.
pub static MOCK: Shape = Shape {
    what: "`mock`",
    doc: "The answer that a dry run takes in place of the real one.",
    with: &[],
    keys: &[
        Key::new(
            "status",
            Form::Statuses,
            "Its status. One that is no success fails the request, as the real one would.",
        )
        .default("`200`"),
        Key::new("headers", Form::Entries, "Its headers."),
        Key::new(
            "json",
            Form::Value,
            "Its body, as JSON; with a `for_each`, what it holds may be computed from the row.",
        ),
        Key::new("body", Form::Text, "Its body, as text."),
    ],
};

/// The answer that a dry run takes in place of the real one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mock {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Prop>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Prop>,
}

/// Reads `mock` of a step.
pub(super) fn read_mock(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Mock> {
    let keys = keys.node("mock").and_then(|node| Keys::new(node, &MOCK, d))?;
    Some(Mock::read(&keys, d))
}

impl Mock {
    /// Reads an answer.
    pub fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Mock {
        let mock = Mock {
            status: keys.prop("status", d),
            headers: keys.prop("headers", d),
            json: keys.prop("json", d),
            body: keys.prop("body", d),
        };
        if mock.json.is_some() && mock.body.is_some() {
            let place = keys.place_of("body").cloned();
            d.error(
                Code::BadValue,
                place,
                "`mock` has `json` and `body`: an answer has one body",
            )
            .help("keep one of them");
        }
        mock
    }
}
