//! Every key of the language's shapes is a part of the plan, which is all that a run knows of a flow: without it the plan is
//! another one, or there is none. A key that is read and forgotten is found here.

use sequor_planner::ops::OPERATIONS;
use sequor_planner::syntax::SOURCES;
use serde_json::{Value as Json, json};

use super::walk::{examples, plan, sources, walk};

/// The example without one of its keys.
fn without(example: &Json, path: &str) -> Option<Json> {
    let mut changed = example.clone();
    let (around, name) = path.rsplit_once('/')?;
    changed.pointer_mut(around)?.as_object_mut()?.remove(name)?;
    Some(changed)
}

#[test]
fn every_key_is_part_of_the_plan() {
    let mut forgotten = Vec::new();
    let mut check = |path: String, with: &Json, without: Option<Json>| {
        if without.is_some_and(|without| without == *with) {
            forgotten.push(format!("{path} changes nothing"));
        }
    };
    for (op, example) in examples() {
        let shape = OPERATIONS.iter().find(|(name, _)| *name == op).unwrap().1.shape;
        let (Some(with), _) = plan(&example, None) else {
            panic!("{example}")
        };
        walk(shape, &example, "", &mut |_, path| {
            let changed = without(&example, path).unwrap();
            check(format!("{op}{path}"), &with, plan(&changed, None).0);
        });
    }
    let request = json!({"op": "http_request", "request": {"source": "own", "url": "https://x.example/"}});
    let query = json!({"op": "execute", "source": "own", "statement": "select 1"});
    for (kind, example) in sources() {
        let shape = SOURCES.iter().find(|(name, _)| *name == kind).unwrap().1;
        let step = if kind == "http" { &request } else { &query };
        let (Some(with), _) = plan(step, Some(&example)) else {
            panic!("{example}")
        };
        walk(shape, &example, "", &mut |_, path| {
            let changed = without(&example, path).unwrap();
            check(format!("{kind}{path}"), &with, plan(step, Some(&changed)).0);
        });
    }
    assert!(
        forgotten.is_empty(),
        "{}\n{}",
        forgotten.len(),
        forgotten.join("\n")
    );
}
