//! `sequor validate`.

use sequor_planner::Severity;

use super::args::{DiagnosticFormat, Validate};
use super::context::{Context, tally};
use crate::engine::Checked;
use crate::error::{Exit, Result};
use crate::report::count;

/// Checks the project, or one flow: every mistake, not just the first.
pub fn validate(context: &Context, args: &Validate) -> Result<Exit> {
    let project = context.project()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let checking = project.check(Default::default(), args.flow.as_deref());
    let Checked { found, flows } = runtime.block_on(checking)?;
    let errors = found.iter().any(|d| d.severity == Severity::Error);
    match args.format {
        DiagnosticFormat::Json => {
            crate::report::out(serde_json::to_string_pretty(&found).unwrap_or_default());
        }
        DiagnosticFormat::Github => {
            for diagnostic in &found {
                crate::report::out(diagnostic.github());
            }
        }
        DiagnosticFormat::Text => {
            context.show(&found, &project.files);
            if errors || !context.quiet {
                let flows = count(flows as u64, "flow");
                match found.is_empty() {
                    true => crate::report::out(format!("{flows} checked: all good")),
                    false => crate::report::out(format!("{flows} checked: {}", tally(&found))),
                }
            }
        }
    }
    Ok(if errors { Exit::Wrong } else { Exit::Done })
}
