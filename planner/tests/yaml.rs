//! YAML as the Python readers read it: texts, and what ruamel.yaml and PyYAML made of them (yaml/make.py).

use std::sync::Arc;

use sequor_planner::Diagnostics;
use sequor_planner::syntax::{parse, parse_environment};
use serde_json::Value as Json;

const CORPUS: &str = include_str!("yaml/corpus.json");

/// Texts that are read otherwise, and why.
const OTHERWISE: &[(&str, &str, &str)] = &[
    (
        "a: <<\n",
        "1.1",
        "`<<` and `=` are no values to PyYAML; they are text",
    ),
    (
        "a: =\n",
        "1.1",
        "`<<` and `=` are no values to PyYAML; they are text",
    ),
    (
        "a: &x 1\na2: &x 2\nb: *x\n",
        "1.1",
        "an anchor may be given anew, as in YAML 1.2",
    ),
    (
        "? [a, b]\n: 1\n",
        "1.2",
        "a key that is a list is refused, with its place",
    ),
    (
        "1: a\n'1': b\n",
        "1.2",
        "keys that are written alike are refused, with their place",
    ),
    (
        "1: a\n'1': b\n",
        "1.1",
        "of keys that are written alike the last counts, with a warning",
    ),
    ("a: 1\t# c\n", "1.2", "a tab may stand before a comment"),
    ("a: 1\t# c\n", "1.1", "a tab may stand before a comment"),
    (
        "a: [1,\t2]\n",
        "1.1",
        "a tab may stand between items, as in YAML 1.2",
    ),
    (
        "a: {url: http://x/y, q: a?b, e: x=y}\n",
        "1.1",
        "`?` may stand in plain text, as in YAML 1.2",
    ),
];

/// What is read, as the corpus writes it; an empty object where the text is refused.
fn read(text: &str, version: &str) -> Json {
    let file: Arc<str> = "x.yaml".into();
    let mut d = Diagnostics::default();
    let node = match version {
        "1.2" => parse(&file, text, &mut d),
        _ => parse_environment(&file, text, &mut d),
    };
    match node {
        Some(node) => serde_json::json!({"value": node.to_json()}),
        None => serde_json::json!({}),
    }
}

#[test]
fn texts_mean_what_the_python_readers_make_of_them() {
    let corpus: Vec<Json> = serde_json::from_str(CORPUS).unwrap();
    assert!(corpus.len() > 300, "{} texts", corpus.len());
    let mut differences = Vec::new();
    for entry in &corpus {
        let text = entry["text"].as_str().unwrap();
        for version in ["1.2", "1.1"] {
            let (ours, theirs) = (read(text, version), &entry[version]);
            let known = OTHERWISE.iter().any(|(t, v, _)| (*t, *v) == (text, version));
            match (ours == *theirs, known) {
                (true, false) | (false, true) => {}
                (true, true) => differences.push(format!("{text:?} ({version}): no longer different")),
                (false, false) => {
                    differences.push(format!("{text:?} ({version}): theirs {theirs}, ours {ours}"));
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
