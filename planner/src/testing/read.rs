//! A file of tests.

use std::sync::Arc;

use serde_json::Value as Json;

use super::expect::{self, EXPECT, Expected};
use super::given::{self, Given};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::EachProp;
use crate::ops::{MOCK, Mock};
use crate::span::Place;
use crate::syntax::{Form, Key, Keys, Node, Shape, TYPED, Value, parse};

/// A file of tests, in the project's folder `tests`.
pub static TEST_FILE: Shape = Shape {
    what: "a file of tests",
    doc: "Tests of flows: each runs a flow on throw-away copies, and compares what comes out.",
    with: &[&SHARED],
    keys: &[Key::new("tests", Form::List(&TEST), "The tests.")
        .planned()
        .required()],
};

/// What a file says for all of its tests.
static SHARED: Shape = Shape {
    what: "a test",
    doc: "",
    with: &[],
    keys: &[
        Key::new(
            "flow",
            Form::Name,
            "The flow that is run, as its path below `flows` without `.yaml`.",
        ),
        Key::new(
            "variables",
            Form::Plain,
            "Variables that the flow finds, as if they were kept from an earlier run.",
        ),
        Key::new(
            "env",
            Form::Plain,
            "Variables of the process's environment, for `env_var`.",
        ),
        Key::new(
            "now",
            Form::Value,
            "The time that `now()`, `today()` and the SQL of the copies see.",
        )
        .planned(),
        Key::new(
            "replay",
            Form::Name,
            "A folder of recordings that answers requests; its path begins at the project.",
        ),
    ],
};

/// A test.
static TEST: Shape = Shape {
    what: "a test",
    doc: "A test: what a flow is given, and what must come out.",
    with: &[&SHARED],
    keys: &[
        Key::new("name", Form::Label, "What it tests, in a few words.").required(),
        Key::new(
            "mocks",
            Form::Value,
            "Answers to requests, by step: one for all of them, or a list that is used up in order. In them, `request` is what is answered.",
        )
        .planned(),
        Key::new("given", Form::Value, "The tables that the flow finds, by `source.table`.").planned(),
        Key::new("expect", Form::Map(&EXPECT), "What must come out.").planned(),
    ],
};

/// The tests of a file.
#[derive(Debug, Clone)]
pub struct TestFile {
    pub file: Arc<str>,
    pub tests: Vec<FlowTest>,
}

/// A test.
#[derive(Debug, Clone)]
pub struct FlowTest {
    pub name: String,
    pub place: Place,
    pub flow: (String, Place),
    pub variables: Vec<(String, Json)>,
    pub env: Vec<(String, String)>,
    /// A date, or a timestamp, in ISO 8601.
    pub now: Option<(String, Place)>,
    pub replay: Option<(String, Place)>,
    pub mocks: Vec<Answers>,
    pub given: Vec<Given>,
    pub expect: Expected,
}

/// Answers to the requests of a step.
#[derive(Debug, Clone)]
pub struct Answers {
    pub step: String,
    pub place: Place,
    pub answers: Vec<Mock>,
    /// Whether each answers one request; else the only one answers all.
    pub in_turn: bool,
}

/// What stands in a file for all tests, or in one.
#[derive(Default, Clone)]
struct Shared {
    flow: Option<(String, Place)>,
    variables: Vec<(String, Json)>,
    env: Vec<(String, String)>,
    now: Option<(String, Place)>,
    replay: Option<(String, Place)>,
}

impl Shared {
    fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Shared {
        let text = |value: Json| match value {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let env = map(keys, "env", d).into_iter();
        Shared {
            flow: keys.name("flow", d),
            variables: map(keys, "variables", d),
            env: env.map(|(name, value)| (name, text(value))).collect(),
            now: keys.node("now").and_then(|node| now(node, d)),
            replay: keys.name("replay", d),
        }
    }

    /// What a test says, and where it says nothing what its file does.
    fn over(self, file: &Shared) -> Shared {
        let mut variables = file.variables.clone();
        variables.retain(|(name, _)| !self.variables.iter().any(|(own, _)| own == name));
        variables.extend(self.variables);
        let mut env = file.env.clone();
        env.retain(|(name, _)| !self.env.iter().any(|(own, _)| own == name));
        env.extend(self.env);
        Shared {
            flow: self.flow.or_else(|| file.flow.clone()),
            variables,
            env,
            now: self.now.or_else(|| file.now.clone()),
            replay: self.replay.or_else(|| file.replay.clone()),
        }
    }
}

/// Reads a file of tests; none where it is a recording.
pub fn read_tests(file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Option<TestFile> {
    let found = TestFile {
        file: file.clone(),
        tests: Vec::new(),
    };
    let Some(node) = parse(file, text, d) else {
        return Some(found);
    };
    if is_recording(&node) {
        return None;
    }
    Some(of_node(&node, found, d))
}

/// A recording of a request, which may stand beside tests.
fn is_recording(node: &Node) -> bool {
    match &node.value {
        Value::Map(entries) => {
            let has = |key: &str| entries.iter().any(|(name, ..)| name == key);
            has("request") && has("response") && !has("tests")
        }
        _ => false,
    }
}

fn of_node(node: &Node, mut found: TestFile, d: &mut Diagnostics) -> TestFile {
    let Some(keys) = Keys::new(node, &TEST_FILE, d) else {
        return found;
    };
    let shared = Shared::read(&keys, d);
    found.tests = keys.list("tests", d, |node, d| test(node, &shared, d));
    for (at, test) in found.tests.iter().enumerate() {
        if found.tests.iter().take(at).any(|other| other.name == test.name) {
            let message = format!("two tests of this file are named `{}`", test.name);
            d.error(Code::BadValue, test.place.clone(), message)
                .help("give one of them another name");
        }
    }
    found
}

fn test(node: &Node, file: &Shared, d: &mut Diagnostics) -> Option<FlowTest> {
    let keys = Keys::new(node, &TEST, d)?;
    let shared = Shared::read(&keys, d).over(file);
    let name = keys.label("name", d)?;
    let place = keys.place_of("name").unwrap_or(&node.place).clone();
    let mocks = keys.node("mocks").map(|node| mocks(node, d)).unwrap_or_default();
    let given = keys
        .node("given")
        .map(|node| given::read(node, d))
        .unwrap_or_default();
    let expect = keys
        .node("expect")
        .map(|node| expect::read(node, d))
        .unwrap_or_default();
    let Some(flow) = shared.flow else {
        d.error(
            Code::MissingKey,
            place,
            format!("the test `{name}` names no `flow`"),
        )
        .help("name it in the test, or at the beginning of the file for all of its tests");
        return None;
    };
    Some(FlowTest {
        name,
        place,
        flow,
        variables: shared.variables,
        env: shared.env,
        now: shared.now,
        replay: shared.replay,
        mocks,
        given,
        expect,
    })
}

fn map(keys: &Keys<'_>, name: &str, d: &mut Diagnostics) -> Vec<(String, Json)> {
    let Some(node) = keys.node(name) else {
        return Vec::new();
    };
    match &node.value {
        Value::Map(entries) => {
            let each = entries
                .iter()
                .map(|(name, _, node)| (name.clone(), node.to_json()));
            each.collect()
        }
        _ => {
            let message = format!("`{name}` must be a map of names to values, not {}", node.kind());
            d.error(Code::WrongType, node.place.clone(), message);
            Vec::new()
        }
    }
}

/// A date or timestamp as text.
fn now(node: &Node, d: &mut Diagnostics) -> Option<(String, Place)> {
    let text = match node.to_json() {
        Json::String(text) => Some(text),
        Json::Object(typed) if typed.contains_key(TYPED) => {
            typed.get("value").and_then(Json::as_str).map(str::to_string)
        }
        _ => None,
    };
    if text.is_none() {
        let message = format!("`now` must be a date or a timestamp, not {}", node.kind());
        d.error(Code::WrongType, node.place.clone(), message)
            .help("like 2024-05-01T10:00:00Z");
    }
    text.map(|text| (text, node.place.clone()))
}

fn mocks(node: &Node, d: &mut Diagnostics) -> Vec<Answers> {
    let Value::Map(entries) = &node.value else {
        let message = format!("`mocks` must be a map of steps to answers, not {}", node.kind());
        d.error(Code::WrongType, node.place.clone(), message);
        return Vec::new();
    };
    let each = entries.iter().map(|(step, place, node)| {
        let answers = node.one_or_list().iter();
        let answers = answers.filter_map(|node| {
            let mut mock = Keys::new(node, &MOCK, d).map(|keys| Mock::read(&keys, d))?;
            mock.each_prop_mut(&mut |prop| prop.lower());
            Some(mock)
        });
        Answers {
            step: step.clone(),
            place: place.clone(),
            answers: answers.collect(),
            in_turn: matches!(node.value, Value::List(_)),
        }
    });
    each.collect()
}
