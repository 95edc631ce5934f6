//! `sequor retry`.

use std::collections::{BTreeSet, HashSet};

use sequor_planner::did_you_mean;

use super::args::{self, InDoubtArg, LogFormat};
use super::context::{Context, overrides};
use super::run::follow;
use super::{compile, log, state};
use crate::engine::{ResumeOptions, Session};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::event::ErrorReport;

/// Sends rows again that a run rejected.
pub fn retry(context: &Context, args: &args::Retry) -> Result<Exit> {
    let runtime = super::runtime::runtime()?;
    runtime.block_on(async {
        let (_, store) = state::open(context).await?;
        let record = store.run(Some(&args.run)).await?;
        let steps = store.steps(record.run).await?;
        store.close().await;
        let mut rejected: Vec<&str> = Vec::new();
        for step in &steps {
            // The last attempt at a step counts that came to its end.
            rejected.retain(|known| *known != step.step || step.status != "done");
            let in_doubt = step.error.as_ref().is_some_and(ErrorReport::is_in_doubt);
            if (step.totals.rejects > 0 || in_doubt) && !rejected.contains(&step.step.as_str()) {
                rejected.push(&step.step);
            }
        }
        if let Some(wanted) = &args.step {
            if !steps.iter().any(|step| step.step == *wanted) {
                let message = format!("the run {} has no step `{wanted}`", record.run);
                let known: BTreeSet<&str> = steps.iter().map(|step| step.step.as_str()).collect();
                let near = did_you_mean(wanted, "steps", known);
                return Err(Error::new(ErrorKind::Project, message).help(near.unwrap_or_default()));
            }
            rejected.retain(|known| known == wanted);
        }
        if rejected.is_empty() {
            let of = args
                .step
                .as_ref()
                .map_or(String::new(), |step| format!(" in step `{step}`"));
            crate::report::err(format!(
                "the run {} rejected no rows{of}: nothing is to be sent again",
                record.run
            ));
            return Ok(Exit::Done);
        }
        let options = ResumeOptions {
            run: Some(record.run.to_string()),
            variables: overrides(&args.variables)?,
            force: args.force,
            rejected_of: Some(rejected.iter().map(ToString::to_string).collect::<HashSet<_>>()),
            ..ResumeOptions::default()
        };
        let Some((compiled, resumed)) = compile::resumed(context, &record.flow, options).await? else {
            return Ok(Exit::Wrong);
        };
        log::start(&compiled.loaded.project.log(), LogFormat::Text);
        let session = Session::new(&compiled.loaded)
            .resume(Some(resumed))
            .in_doubt(InDoubtArg::meant(args.in_doubt));
        follow(context, &compiled, session, args.format).await
    })
}
