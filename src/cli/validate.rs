//! `sequor validate`.

use sequor_planner::{Diagnostics, Severity};

use super::Exit;
use super::args::{DiagnosticFormat, Validate};
use super::context::{Context, check_jinja2, tally};
use crate::error::Result;

/// Checks the project, or one flow: every mistake, not just the first.
pub fn validate(context: &Context, args: &Validate) -> Result<Exit> {
    let mut d = Diagnostics::default();
    let (project, compiler) = context.compiler(&mut d)?;
    let mut checked = 0;
    if let Some(compiler) = &compiler {
        let kept = project.kept_variables(compiler)?;
        let known = project.known_names(&kept, std::iter::empty());
        let flows: Vec<String> = match &args.flow {
            Some(flow) => vec![flow.clone()],
            None => compiler.flows().map(str::to_string).collect(),
        };
        if args.flow.is_none() {
            compiler.check_sources(&mut d);
        }
        for flow in &flows {
            compiler.plan(flow, &known, &mut d);
            checked += 1;
        }
    }
    check_jinja2(&mut d)?;
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
