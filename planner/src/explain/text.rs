//! The plan as text: stages, and for each step what it does, reads, writes and waits for.

use std::fmt::Write;

use crate::effects::Resource;
use crate::explain::{notes, summary};
use crate::plan::{Action, Plan, Region, Step};

/// Returns the plan as a person reads it.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let sources: Vec<String> = plan
        .sources
        .iter()
        .map(|s| format!("{} ({})", s.name, s.kind))
        .collect();
    let _ = writeln!(out, "Flow {} of project {}", plan.flow, plan.project);
    if !sources.is_empty() {
        let _ = writeln!(out, "Sources: {}", sources.join(", "));
    }
    python(plan, &mut out);
    region(plan, &plan.root, 0, &mut out);
    let (steps, outside) = count(&plan.root);
    let _ = write!(
        out,
        "\nPlan: {}, {}",
        plural(steps, "step"),
        plural(plan.root.stages.len(), "stage")
    );
    let _ = match outside {
        0 => writeln!(out, "; nothing outside is changed."),
        n => writeln!(
            out,
            "; {} something outside (marked !).",
            if n == 1 {
                "1 step changes".into()
            } else {
                format!("{n} steps change")
            }
        ),
    };
    out
}

/// What needs the Python interpreter.
fn python(plan: &Plan, out: &mut String) {
    if plan.python.is_empty() {
        return;
    }
    let _ = writeln!(out, "Python: {}", plural(plan.python.len(), "expression"));
    for code in &plan.python {
        let _ = writeln!(out, "  {}: {} ({})", code.step, code.property, code.place);
    }
}

fn count(region: &Region) -> (usize, usize) {
    let mut total = (0, 0);
    for step in &region.steps {
        total.0 += 1;
        total.1 += usize::from(step.outside && matches!(step.action, Action::Http(_)));
        for (_, inner) in inner(step) {
            let (steps, outside) = count(inner);
            total = (total.0 + steps, total.1 + outside);
        }
    }
    total
}

fn plural(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// The regions inside a step, each with its heading.
fn inner(step: &Step) -> Vec<(String, &Region)> {
    let mut regions = step.action.regions();
    // A branch without steps is shown, a missing `else` or `finally` is not.
    let optional = |what: &str| matches!(what, "else" | "at the end");
    regions.retain(|(what, region)| !optional(what) || !region.steps.is_empty());
    let headed = regions.into_iter().enumerate();
    headed
        .map(|(at, (what, region))| match &step.action {
            Action::If { branches, .. } if at < branches.len() => {
                (format!("{what} {}:", branches[at].condition.in_short()), region)
            }
            _ => (format!("{what}:"), region),
        })
        .collect()
}

fn region(plan: &Plan, region: &Region, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    for (number, stage) in region.stages.iter().enumerate() {
        let together = if stage.len() > 1 { ", at the same time" } else { "" };
        let _ = writeln!(out, "\n{pad}Stage {}{together}", number + 1);
        for &at in stage {
            let step = &region.steps[at];
            let mark = if step.outside { "!" } else { "-" };
            let title = step
                .title
                .as_ref()
                .map(|t| format!("  # {t}"))
                .unwrap_or_default();
            let _ = writeln!(
                out,
                "{pad}  {mark} {} [{}] {}{title}",
                step.id, step.op, step.place
            );
            let _ = writeln!(out, "{pad}      {}", summary(step));
            for note in notes(plan, step) {
                let _ = writeln!(out, "{pad}      {note}");
            }
            list("reads:", &step.reads, &pad, out);
            list("writes:", &step.writes, &pad, out);
            for edge in region.edges.iter().filter(|e| e.to == at) {
                let from = &region.steps[edge.from].id;
                let _ = writeln!(out, "{pad}      waits for {from}: {}", edge.reasons.join("; "));
            }
            for (heading, inner) in inner(step) {
                let _ = write!(out, "{pad}      {heading}");
                if inner.steps.is_empty() {
                    out.push_str(" nothing");
                }
                out.push('\n');
                self::region(plan, inner, depth + 4, out);
            }
        }
    }
    if region.stages.is_empty() && depth == 0 {
        let _ = writeln!(out, "\nNo steps.");
    }
}

fn list(what: &str, resources: &[Resource], pad: &str, out: &mut String) {
    if !resources.is_empty() {
        // A variable of the flow and the project's of its name are one line to the reader.
        let mut names: Vec<String> = Vec::with_capacity(resources.len());
        for name in resources.iter().map(Resource::to_string) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let _ = writeln!(out, "{pad}      {what} {}", names.join(", "));
    }
}
