//! Looks at all that a project needs, and changes nothing: its files, environment, sources, Python, state and clock. All of it is
//! looked at at the same time, and what does not answer within seconds is told as that.

mod apis;
mod databases;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sequor_planner::syntax::SourceKind;
use sequor_planner::{Diagnostics, PlanOptions};

use crate::engine::{Evaluator, Loaded, Location, Project};
use crate::error::Error;
use crate::event::{Check, count};

/// How long each thing gets to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Checks a project; `told` gets each group of results as soon as it is known.
pub async fn doctor(location: &Location, told: &mut dyn FnMut(Check)) {
    let project = match Project::open(location) {
        Ok(project) => Arc::new(project),
        Err(error) => {
            told(of_error("project", &error));
            told(python().await);
            return;
        }
    };
    let mut d = Diagnostics::default();
    let loaded = match project.load(Default::default(), &mut d) {
        Ok(loaded) => loaded,
        Err(error) => return told(of_error("project", &error)),
    };
    let Some(loaded) = loaded else {
        return told(Check::failed(
            "project",
            "project.yaml can't be read",
            Some("see why: sequor validate".into()),
        ));
    };
    told(files(&loaded, d));
    told(environment(&loaded));
    told(python().await);
    told(state(&loaded).await);
    let sources: Vec<_> = loaded.compiler.sources.values().cloned().collect();
    let each = sources.iter().map(|source| async {
        match &source.kind {
            SourceKind::Database(kind) => databases::check(&loaded, source, kind).await,
            SourceKind::Http(http) => apis::check(&loaded, &source.name, http).await,
        }
    });
    let found = join_all(each).await;
    let clocks: Vec<f64> = found.iter().filter_map(|found| found.ahead).collect();
    found.into_iter().for_each(|found| told(found.check));
    told(clock(&clocks));
}

/// What was found about a source.
struct Found {
    check: Check,
    /// Seconds that this machine's clock is ahead of the source's.
    ahead: Option<f64>,
}

impl From<Check> for Found {
    fn from(check: Check) -> Self {
        Found { check, ahead: None }
    }
}

fn of_error(name: &str, error: &Error) -> Check {
    Check::failed(name, error.to_string(), error.advice().map(str::to_string))
}

/// The check of what did not answer.
fn silent(name: String) -> Check {
    let detail = format!("no answer within {} s", PATIENCE.as_secs());
    let fix = "look at its address, and at firewalls and VPNs on the way";
    Check::failed(name, detail, Some(fix.into()))
}

/// The project's files: all that `validate` finds.
fn files(loaded: &Loaded, mut d: Diagnostics) -> Check {
    loaded.compiler.check_sources(&mut d);
    let flows: Vec<String> = loaded.compiler.flows().map(str::to_string).collect();
    for flow in &flows {
        let _ = loaded.plan(flow, &PlanOptions::default(), &mut d, &mut |_, _| {});
    }
    let counts = format!(
        "{}: {}, {}",
        loaded.compiler.project.name,
        count(flows.len() as u64, "flow"),
        count(loaded.compiler.sources.len() as u64, "source")
    );
    match d.has_errors() {
        true => Check::failed(
            "project",
            format!("{counts}, and mistakes in them"),
            Some("see them: sequor validate".into()),
        ),
        false => Check::ok("project", counts),
    }
}

fn environment(loaded: &Loaded) -> Check {
    match &loaded.project.env {
        Some(env) => Check::ok(
            "environment",
            format!(
                "{env}, {}",
                count(loaded.compiler.environment.len() as u64, "variable")
            ),
        ),
        None => Check::ok("environment", "none in use"),
    }
}

async fn python() -> Check {
    let evaluator = Arc::new(Evaluator::default());
    match evaluator.python().version().await {
        Ok((version, prefix)) => Check::ok("python", format!("{version} in {prefix}")),
        Err(error) => of_error("python", &error),
    }
}

/// The state: one that is not there is not made.
async fn state(loaded: &Loaded) -> Check {
    let place = match &loaded.compiler.project.state.source {
        Some((source, _)) => format!("in source `{source}`"),
        None => format!("in {}", loaded.state_folder().display()),
    };
    if !loaded.has_state() {
        return Check::ok("state", format!("none yet; the first run makes it {place}"));
    }
    match tokio::time::timeout(PATIENCE, loaded.open_state()).await {
        Err(_) => silent("state".into()),
        Ok(Err(error)) => of_error("state", &error),
        Ok(Ok(store)) => {
            store.close().await;
            Check::ok("state", place)
        }
    }
}

/// How far clocks may be apart before tokens and signatures are refused.
const APART: f64 = 60.0;

fn clock(ahead: &[f64]) -> Check {
    let most = ahead.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
    match most {
        None => Check::ok("clock", "no server told its time"),
        Some(most) if most.abs() < APART => Check::ok("clock", "as those of servers"),
        Some(most) => {
            let what = if most > 0.0 { "ahead of" } else { "behind" };
            Check::warning(
                "clock",
                format!("{:.0} s {what} a server's", most.abs()),
                "set this machine's clock: tokens and signatures are refused when it is wrong",
            )
        }
    }
}
