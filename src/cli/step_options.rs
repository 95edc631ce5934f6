//! Options of a run that are for some kinds of steps.

use sequor_planner::effects::Resource;
use sequor_planner::ops::Plain;
use sequor_planner::plan::{Action, Plan};

use super::args;
use crate::engine::{Between, Resends};
use crate::error::{Error, ErrorKind, Result};

/// Refuses options that mean nothing to a flow.
///
/// # Errors
/// Such an option.
pub fn check(args: &args::Run, plan: &Plan) -> Result<()> {
    let (mut incremental, mut computes, mut changes) = (false, false, false);
    plan.root.each(&mut |step| match &step.action {
        Action::Http(http) => {
            incremental |= http.asks.is_some();
            changes |= http.synced.is_some();
        }
        Action::Plain(plain) => {
            if let Plain::Transform(transform) = &**plain {
                computes |= transform.incremental.is_some();
            }
        }
        _ => {}
    });
    let refused = |options: &[(&str, bool)], what: &str, help: &str| {
        let given = options.iter().find(|(_, given)| *given);
        given.map_or(Ok(()), |(option, _)| {
            let message = format!("{option} is for {what}, and the flow {} has none", plan.flow);
            Err(Error::new(ErrorKind::Project, message).help(help))
        })
    };
    if !incremental {
        let options = [
            ("--from", args.from.is_some()),
            ("--until", args.until.is_some()),
            ("--keep-state", args.keep_state),
        ];
        let help = "a step is incremental by `request.incremental`";
        refused(&options, "requests that are incremental", help)?;
    }
    if !incremental && !computes {
        let options = [("--full-refresh", args.full_refresh)];
        let help = "a request is incremental by `request.incremental`, a transform by `incremental`";
        refused(&options, "incremental steps", help)?;
    }
    if args.full_refresh {
        refuse_shared(plan)?;
    }
    if !changes {
        let options = [("--full", args.full), ("--resend", args.resend)];
        let help = "a step sends only changes by `for_each.changes`";
        refused(&options, "steps that send only changes", help)?;
    }
    if args.in_doubt.is_some() && !changes && args.resume.is_none() && !args.retry_failed {
        let message = "--in-doubt says how a run is gone on with: it needs --resume";
        return Err(Error::new(ErrorKind::Project, message));
    }
    Ok(())
}

/// Refuses to begin anew with a table that several steps fill: each would take the rows of the others for old ones.
fn refuse_shared(plan: &Plan) -> Result<()> {
    let mut filled: Vec<(&Resource, &str)> = Vec::new();
    let mut shared = None;
    plan.root.each(&mut |step| {
        let fills = match &step.action {
            Action::Http(_) => true,
            Action::Plain(plain) => matches!(**plain, Plain::Transform(_)),
            _ => false,
        };
        let tables = step
            .writes
            .iter()
            .filter(|table| fills && matches!(table, Resource::Table { .. }));
        for table in tables {
            match filled.iter().find(|(known, _)| known.overlaps(table)) {
                Some((_, by)) => shared = Some((table, *by, step.id.as_str())),
                None => filled.push((table, &step.id)),
            }
        }
    });
    let Some((table, a, b)) = shared else {
        return Ok(());
    };
    let message = format!(
        "--full-refresh: {table} is filled by step {a} and by step {b}, and each would delete what the other has written"
    );
    Err(Error::new(ErrorKind::Project, message).help(format!(
        "empty the table, forget what is covered by `sequor state reset {0}`, and then: sequor run {0}",
        plan.flow
    )))
}

/// Says how a run that failed is gone on with: its options are not kept.
pub fn remind(args: &args::Run) {
    let given = [
        args.full_refresh.then(|| "--full-refresh".to_string()),
        args.from.as_ref().map(|from| format!("--from {from}")),
        args.until.as_ref().map(|until| format!("--until {until}")),
    ];
    let given: Vec<String> = given.into_iter().flatten().collect();
    if !given.is_empty() {
        crate::report::err(format!(
            "with {}, as this one: without it a run asks for what is new",
            given.join(" ")
        ));
    }
}

/// Returns the range that incremental steps ask for.
pub fn range(args: &args::Run) -> Option<Between> {
    (args.from.is_some() || args.until.is_some()).then(|| Between {
        from: args.from.clone(),
        until: args.until.clone(),
    })
}

/// Returns which rows are sent again.
pub fn resends(args: &args::Run) -> Resends {
    Resends {
        full: args.full,
        others: args.resend,
    }
}
