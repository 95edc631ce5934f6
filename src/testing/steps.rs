//! Steps, as tests name them: by their ids, or by what ends the ids of steps inside of others.

use sequor_planner::plan::{Action, Plan};
use sequor_planner::testing::FlowTest;
use sequor_planner::{Place, did_you_mean};

use super::case::failure;
use crate::event::TestFailure;

/// Returns a test whose steps are named as the plan names them.
///
/// # Errors
/// Names that no step has, or several.
pub fn resolved(test: &FlowTest, plan: &Plan) -> Result<FlowTest, Vec<TestFailure>> {
    let (mut known, mut opaque) = (Vec::new(), false);
    let mut silent = Vec::new();
    plan.root.each(&mut |step| {
        known.push(step.id.clone());
        if !matches!(step.action, Action::Http(_)) {
            silent.push(step.id.clone());
        }
        // Steps of calls that are planned when they start are not known yet.
        opaque |= step.unfolds.is_some();
    });
    let steps = Steps {
        known,
        opaque,
        flow: &test.flow.0,
    };
    let mut test = test.clone();
    let mut failures = Vec::new();
    let mocks = test
        .mocks
        .iter_mut()
        .map(|mock| (&mut mock.step, &mock.place, true));
    let requests = test
        .expect
        .requests
        .iter_mut()
        .map(|sent| (&mut sent.step, &sent.place, true));
    let rejects = test
        .expect
        .rejects
        .iter_mut()
        .map(|rejects| (&mut rejects.step, &rejects.place, true));
    let error = test
        .expect
        .error
        .iter_mut()
        .filter_map(|error| Some((error.step.as_mut()?, &error.place, false)));
    for (step, place, sends) in mocks.chain(requests).chain(rejects).chain(error) {
        match steps.resolve(step, place) {
            Ok(id) if sends && silent.contains(&id) => {
                failures.push(failure(format!("step `{id}` sends no requests"), Some(place)));
            }
            Ok(id) => *step = id,
            Err(failure) => failures.push(*failure),
        }
    }
    match failures.is_empty() {
        true => Ok(test),
        false => Err(failures),
    }
}

/// The steps of a flow.
struct Steps<'f> {
    known: Vec<String>,
    opaque: bool,
    flow: &'f str,
}

impl Steps<'_> {
    fn resolve(&self, name: &str, place: &Place) -> Result<String, Box<TestFailure>> {
        if self.known.iter().any(|id| id == name) {
            return Ok(name.to_string());
        }
        let ends = |id: &&String| id.strip_suffix(name).is_some_and(|before| before.ends_with('/'));
        let found: Vec<&String> = self.known.iter().filter(ends).collect();
        let flow = self.flow;
        match found.as_slice() {
            [only] => Ok((*only).clone()),
            [] if self.opaque => Ok(name.to_string()),
            [] => {
                let last = |id: &String| id.rsplit('/').next().unwrap_or_default().to_string();
                let mut names: Vec<String> = self.known.iter().map(last).collect();
                names.dedup();
                let help = did_you_mean(name, "steps", names.iter().map(String::as_str));
                let message = format!("the flow `{flow}` has no step `{name}`");
                Err(Box::new(TestFailure {
                    help,
                    ..failure(message, Some(place))
                }))
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
                let help = Some(format!("name one of them: {}", ids.join(", ")));
                let message = format!("the flow `{flow}` has {} steps `{name}`", ids.len());
                Err(Box::new(TestFailure {
                    help,
                    ..failure(message, Some(place))
                }))
            }
        }
    }
}
