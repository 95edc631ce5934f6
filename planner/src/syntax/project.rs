//! `project.yaml`, `env.yaml` and `envs/<env>.yaml`.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::state::{STATE, StateSpec, read_state};
use super::{Form, Key, Keys, Node, Shape, Value, parse, parse_environment};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;

/// What `project.yaml` says.
#[derive(Debug, Clone)]
pub struct Project {
    pub name: String,
    pub version: Option<String>,
    /// Whether steps wait for what their data asks for alone, and not for steps whose work can't be held back.
    pub relaxed: bool,
    /// Where runs are remembered.
    pub state: StateSpec,
}

/// `project.yaml`.
pub static PROJECT: Shape = Shape {
    what: "project.yaml",
    doc: "A project.",
    with: &[],
    keys: &[
        Key::new(
            "name",
            Form::Name,
            "The project's name; its state is kept under it.",
        )
        .required(),
        Key::new("version", Form::Name, "The project's version."),
        Key::new("description", Form::Label, "What the project is for."),
        Key::new(
            "order",
            Form::Choice(&["flow", "relaxed"]),
            "`flow`: steps whose work can't be held back keep their place among the others. `relaxed`: every step waits for what its data asks for alone, as with `after: []`.",
        ).default("`flow`")
        .planned(),
        Key::new(
            "state",
            Form::Map(&STATE),
            "Where runs are remembered, and for how long.",
        ),
    ],
};

/// `env.yaml`.
pub static DEFAULT_ENV: Shape = Shape {
    what: "env.yaml",
    doc: "The environment to use by default.",
    with: &[],
    keys: &[Key::new("env", Form::Name, "The environment's name.")],
};

/// `envs/<env>.yaml`.
pub static ENVIRONMENT: Shape = Shape {
    what: "an environment",
    doc: "The variables of an environment.",
    with: &[],
    keys: &[Key::new(
        "variables",
        Form::Plain,
        "Names and values, taken as they are.",
    )],
};

/// Reads `project.yaml`.
pub fn read_project(file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Option<Project> {
    let node = parse(file, text, d)?;
    let keys = Keys::new(&node, &PROJECT, d)?;
    let name = keys.name("name", d);
    let version = keys.name("version", d);
    let relaxed = keys.choice("order", d) == Some("relaxed");
    let state = read_state(&keys, d);
    let (name, place) = name?;
    // The name becomes a folder of the home directory.
    if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
        d.error(
            Code::BadValue,
            place,
            format!("`{name}` can't be a project's name"),
        )
        .help("use letters, digits, `_` and `-`");
        return None;
    }
    Some(Project {
        name,
        version: version.map(|(v, _)| v),
        relaxed,
        state,
    })
}

/// Reads the project's `env.yaml`: the environment to use by default.
pub fn read_default_env(file: &Arc<str>, text: &str, d: &mut Diagnostics) -> Option<String> {
    let node = parse_environment(file, text, d)?;
    if node.is_null() {
        return None;
    }
    let keys = Keys::new(&node, &DEFAULT_ENV, d)?;
    let name = keys.name("env", d);
    name.map(|(name, _)| name)
}

/// Reads an environment's variables: plain values, no templates.
pub fn read_environment(file: &Arc<str>, text: &str, d: &mut Diagnostics) -> IndexMap<String, Json> {
    let mut variables = IndexMap::new();
    let Some(node) = parse_environment(file, text, d) else {
        return variables;
    };
    if node.is_null() {
        return variables;
    }
    let Some(keys) = Keys::new(&node, &ENVIRONMENT, d) else {
        return variables;
    };
    match keys.node("variables") {
        Some(Node {
            value: Value::Map(entries),
            ..
        }) => {
            for (name, _, node) in entries {
                variables.insert(name.clone(), node.to_json());
            }
        }
        Some(node) => {
            d.error(
                Code::WrongType,
                node.place.clone(),
                format!(
                    "`variables` must be a map of names to values, not {}",
                    node.kind()
                ),
            );
        }
        None => {}
    }
    variables
}
