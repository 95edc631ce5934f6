//! The JSON Schema and the reader of the same files must be of one mind.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jsonschema::Validator;
use sequor_planner::ops::read_steps;
use sequor_planner::syntax::{Node, Value, parse, read_flow, read_project, read_source};
use sequor_planner::{Code, Diagnostics, SchemaOf, schema};

use super::{cases, check, report};

/// What a schema can see: the shape of a file, not names in other files, and no SQL, Jinja or Python.
const STRUCTURE: [Code; 6] = [
    Code::UnknownKey,
    Code::MissingKey,
    Code::WrongType,
    Code::BothForms,
    Code::BadValue,
    Code::UnknownOperation,
];

fn validator(of: SchemaOf) -> Validator {
    jsonschema::validator_for(&schema(of)).unwrap()
}

/// The findings that a schema can see.
fn structural(d: Diagnostics) -> Vec<String> {
    let found = d.into_sorted().into_iter();
    let seen = found.filter(|f| STRUCTURE.contains(&f.code));
    seen.map(|f| format!("{}: {}", f.code.as_str(), f.message))
        .collect()
}

/// Where reader and schema differ about a file.
fn disagreement(name: &str, found: &[String], node: &Node, validator: &Validator) -> Option<String> {
    let json = node.to_json();
    let errors: Vec<String> = validator
        .iter_errors(&json)
        .map(|e| format!("{} at {}", e, e.instance_path))
        .collect();
    // Names that people choose can't be paired in a schema.
    if errors.is_empty() && found.iter().all(|f| f.starts_with("SQ0105")) && has_pair(&json) {
        return None;
    }
    (found.is_empty() != errors.is_empty())
        .then(|| format!("{name}\n  the reader: {found:?}\n  the schema: {errors:?}\n  {json}"))
}

/// Whether `x` and `x_expression` stand together in a map of free names.
fn has_pair(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Array(items) => items.iter().any(has_pair),
        serde_json::Value::Object(entries) => entries.iter().any(|(key, value)| {
            let free = ["set", "variables", "parameters", "headers"].contains(&key.as_str());
            let pair = |map: &serde_json::Map<_, _>| {
                map.keys().any(|k| map.contains_key(&format!("{k}_expression")))
            };
            free && value.as_object().is_some_and(pair) || has_pair(value)
        }),
        _ => false,
    }
}

/// Files of the corpus: path and text.
fn corpus() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/language");
    let mut files = Vec::new();
    for chapter in fs::read_dir(root)
        .unwrap()
        .flatten()
        .filter(|f| f.path().is_dir())
    {
        for case in fs::read_dir(chapter.path()).unwrap().flatten() {
            let text = fs::read_to_string(case.path()).unwrap();
            for part in text.split("\n```yaml ").skip(1) {
                let (path, rest) = part.split_once('\n').unwrap();
                let text = rest.split("\n```").next().unwrap();
                files.push((path.to_string(), format!("{text}\n")));
            }
        }
    }
    files
}

fn golden() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (_, text) in cases() {
        let text = format!("\n# file: flows/main.yaml\n{text}");
        for part in text.split("\n# file: ").skip(1) {
            let (path, text) = part.split_once('\n').unwrap_or((part, ""));
            files.push((path.trim().to_string(), text.to_string()));
        }
    }
    files
}

#[test]
fn it_accepts_what_the_reader_reads_and_nothing_else() {
    let (flow, source, project) = (
        validator(SchemaOf::Flow),
        validator(SchemaOf::Source),
        validator(SchemaOf::Project),
    );
    let any = validator(SchemaOf::Any);
    let mut differences = Vec::new();
    let (mut good, mut bad) = (0, 0);
    for (path, text) in corpus().into_iter().chain(golden()) {
        let file: Arc<str> = path.as_str().into();
        let Some(node) = parse(&file, &text, &mut Diagnostics::default()) else {
            continue;
        };
        let mut d = Diagnostics::default();
        let validator = if path.starts_with("flows/") {
            read_flow(&file, &text, &mut d);
            &flow
        } else if path.starts_with("sources/") {
            read_source("s", &file, &text, &mut d);
            &source
        } else if path == "project.yaml" {
            read_project(&file, &text, &mut d);
            &project
        } else {
            continue;
        };
        let found = structural(d);
        match found.is_empty() {
            true => good += 1,
            false => bad += 1,
        }
        differences.extend(disagreement(&path, &found, &node, validator));
        differences.extend(disagreement(&format!("{path} (any)"), &found, &node, &any));
        // Each step alone, so that one mistake does not hide another.
        let steps = match &node.value {
            Value::List(steps) if path.starts_with("flows/") => steps,
            _ => continue,
        };
        for step in steps {
            let alone = Node {
                value: Value::List(vec![step.clone()]),
                place: step.place.clone(),
                key: None,
            };
            let mut d = Diagnostics::default();
            read_steps(&alone, &mut d);
            let found = structural(d);
            let name = format!("{path}:{}", step.place.line);
            differences.extend(disagreement(&name, &found, &alone, validator));
        }
    }
    assert!(
        good > 150 && bad > 15,
        "{good} good and {bad} bad files are not enough"
    );
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn it_is_what_was_seen_last() {
    let text = serde_json::to_string_pretty(&schema(SchemaOf::Any)).unwrap();
    report(check("schema.json", &format!("{text}\n")).into_iter().collect());
}
