//! What a plan tells of an incremental step.

use serde_json::Value;

use crate::support::program::Project;

/// The HTTP request of the only incremental step of the flow `main`, as a plan with estimates has it.
pub fn planned(project: &Project) -> Value {
    let plan = project.sequor(&["plan", "main", "--estimate", "--format", "json"]);
    assert_eq!(plan.code, 0, "{}", plan.all());
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let mut stack = vec![&plan];
    while let Some(at) = stack.pop() {
        if at.get("asks").is_some() {
            return at.clone();
        }
        stack.extend(at.as_object().into_iter().flat_map(|map| map.values()));
        stack.extend(at.as_array().into_iter().flatten());
    }
    Value::Null
}

/// The ranges that it lists.
pub fn ranges(planned: &Value) -> &[Value] {
    let ranges = planned["estimated_ranges"]["ranges"].as_array();
    ranges.map_or(&[], Vec::as_slice)
}
