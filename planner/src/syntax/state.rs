//! `state` of `project.yaml`: where runs are remembered, for how long, and what they may take on the disk.

use super::{Form, Key, Keys, Shape};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::span::Place;

/// Where runs are remembered.
#[derive(Debug, Clone)]
pub struct StateSpec {
    /// The PostgreSQL source that holds it, and where it is named; none: a file in the project's state folder.
    pub source: Option<(String, Place)>,
    /// The schema there.
    pub namespace: String,
    /// Bytes that one run may keep to go on from.
    pub max_disk: u64,
    /// Seconds that a run which is over is remembered.
    pub keep_for: f64,
    /// How many runs that are over are remembered.
    pub keep_runs: u64,
}

/// The schema of a shared state, where none is given.
const NAMESPACE: &str = "sequor";

/// What a run may keep, where nothing is said: 20 GB.
const MAX_DISK: u64 = 20_000_000_000;

const KEEP_RUNS: u64 = 1_000;

/// 90 days.
const KEEP_FOR: f64 = 90.0 * 86_400.0;

impl Default for StateSpec {
    fn default() -> Self {
        StateSpec {
            source: None,
            namespace: NAMESPACE.into(),
            max_disk: MAX_DISK,
            keep_for: KEEP_FOR,
            keep_runs: KEEP_RUNS,
        }
    }
}

/// `state`.
pub static STATE: Shape = Shape {
    what: "`state`",
    doc: "Where runs are remembered, so that they can be looked at and gone on with.",
    with: &[],
    keys: &[
        Key::new(
            "source",
            Form::Name,
            "A source of type postgres that holds the state, for machines that keep no disk.",
        )
        .default("a SQLite file in the project's state folder"),
        Key::new(
            "namespace",
            Form::Name,
            "The schema there. It is made when it is missing.",
        )
        .default("`sequor`"),
        Key::new(
            "max_disk",
            Form::Size,
            "How much a run may keep so that it can be gone on with: bytes, or like 5GB.",
        )
        .default("20 GB"),
        Key::new(
            "keep_for",
            Form::Duration,
            "How long a run that is over is remembered.",
        )
        .default("90 days"),
        Key::new(
            "keep_runs",
            Form::Whole,
            "How many runs that are over are remembered.",
        )
        .default("`1000`"),
    ],
};

/// Reads `state`.
pub fn read_state(keys: &Keys<'_>, d: &mut Diagnostics) -> StateSpec {
    let default = StateSpec::default();
    let Some(keys) = keys.node("state").and_then(|node| Keys::new(node, &STATE, d)) else {
        return default;
    };
    let source = keys.name("source", d);
    let namespace = keys.name("namespace", d);
    if let (Some((_, place)), None) = (&namespace, &source) {
        d.error(
            Code::BadValue,
            place.clone(),
            "`namespace` of `state` is a schema of its `source`, and none is given",
        )
        .help("add `source`, a source of type postgres, or leave `namespace` out");
    }
    if let Some((name, place)) = &namespace
        && (name.is_empty() || name.len() > 63 || name.contains(['"', '\0']))
    {
        d.error(
            Code::BadValue,
            place.clone(),
            format!("`{name}` can't be the name of a schema"),
        );
    }
    StateSpec {
        source,
        namespace: namespace.map_or(default.namespace, |(name, _)| name),
        max_disk: keys.size("max_disk", d).unwrap_or(default.max_disk),
        keep_for: keys.duration("keep_for", d).unwrap_or(default.keep_for),
        keep_runs: keys.whole("keep_runs", d).unwrap_or(default.keep_runs),
    }
}
