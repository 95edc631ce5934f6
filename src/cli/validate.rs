//! `sequor validate`.

use sequor_planner::{Code, Diagnostics, PlanOptions, Severity};

use super::args::{DiagnosticFormat, Validate};
use super::context::{Context, tally};
use crate::engine::check_jinja2;
use crate::error::{Exit, Result};

/// Checks the project, or one flow: every mistake, not just the first.
pub fn validate(context: &Context, args: &Validate) -> Result<Exit> {
    let mut d = Diagnostics::default();
    let project = context.project()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut loaded = project.load(Default::default(), &mut d)?;
    if let Some(known) = &mut loaded {
        // What is kept in a database is known only where that can be reached.
        match runtime.block_on(known.clone().connected()) {
            Ok(connected) => *known = connected,
            Err(error) => {
                let message = format!("variables that are kept are not known: {error}");
                d.warning(Code::UnknownVariable, error.place().cloned(), message);
            }
        }
    }
    let mut checked = 0;
    if let Some(loaded) = &loaded {
        let flows: Vec<String> = match &args.flow {
            Some(flow) => vec![flow.clone()],
            None => loaded.compiler.flows().map(str::to_string).collect(),
        };
        if args.flow.is_none() {
            loaded.compiler.check_sources(&mut d);
        }
        for flow in &flows {
            // Nothing is selected, so that nothing can be missing.
            let _ = loaded.plan(flow, &PlanOptions::default(), &mut d, &mut |_, _| {});
            checked += 1;
        }
    }
    runtime.block_on(check_jinja2(&mut d))?;
    let failed = d.has_errors();
    let found = d.into_sorted();
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
            let errors = found.iter().any(|d| d.severity == Severity::Error);
            if errors || !context.quiet {
                let flows = if checked == 1 {
                    "1 flow".into()
                } else {
                    format!("{checked} flows")
                };
                match found.is_empty() {
                    true => crate::report::out(format!("{flows} checked: all good")),
                    false => crate::report::out(format!("{flows} checked: {}", tally(&found))),
                }
            }
        }
    }
    Ok(if failed { Exit::Wrong } else { Exit::Done })
}
