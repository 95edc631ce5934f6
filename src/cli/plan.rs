//! `sequor plan`.

use std::sync::Arc;

use sequor_planner::plan::Plan;
use sequor_planner::{Compiler, Diagnostics, explain};

use super::Exit;
use super::args::{self, PlanFormat, Selection};
use super::context::{Context, check_jinja2, overrides, tally};
use super::estimate;
use crate::error::{Error, ErrorKind, Result};
use crate::project::Project;
use crate::report::out;
use crate::value::Value;

/// A flow, compiled, with what its run starts from.
pub struct Compiled {
    pub project: Project,
    pub compiler: Arc<Compiler>,
    pub plan: Plan,
    pub overrides: indexmap::IndexMap<String, Value>,
    pub kept: indexmap::IndexMap<String, Value>,
}

/// Shows what a run would do.
pub fn plan(context: &Context, args: &args::Plan) -> Result<Exit> {
    let Some(mut compiled) = compile(context, &args.flow, &args.variables, &args.selection)? else {
        return Ok(Exit::Wrong);
    };
    if args.estimate {
        estimate::requests(&mut compiled)?;
    }
    let plan = &compiled.plan;
    match args.format {
        PlanFormat::Text => out(explain::text(plan).trim_end()),
        PlanFormat::Dot => out(explain::dot(plan).trim_end()),
        PlanFormat::Mermaid => out(explain::mermaid(plan).trim_end()),
        PlanFormat::Json => {
            let json = serde_json::to_string_pretty(plan);
            crate::report::out(json.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
        }
    }
    Ok(Exit::Done)
}

/// Compiles a flow; none, after showing why, when there are errors.
pub fn compile(
    context: &Context,
    flow: &str,
    variables: &[String],
    selection: &Selection,
) -> Result<Option<Compiled>> {
    let overrides = overrides(variables)?;
    let mut d = Diagnostics::default();
    let (project, compiler) = context.compiler(&mut d)?;
    let mut planned = None;
    let mut kept = indexmap::IndexMap::new();
    if let Some(compiler) = compiler {
        kept = project.kept_variables(&compiler)?;
        let known = project.known_names(&kept, overrides.keys());
        // A flow in a name with its ending is what shells complete.
        let flow = flow.trim_start_matches("./");
        let flow = flow.strip_prefix("flows/").unwrap_or(flow);
        let flow = flow.strip_suffix(".yaml").unwrap_or(flow);
        planned = compiler.plan(flow, &known, &mut d).map(|plan| (compiler, plan));
    }
    check_jinja2(&mut d)?;
    let failed = d.has_errors();
    let found = d.into_sorted();
    context.show(&found, &project.files);
    let Some((compiler, plan)) = planned.filter(|_| !failed) else {
        crate::report::err(tally(&found));
        return Ok(None);
    };
    let plan = select(plan, selection)?;
    Ok(Some(Compiled {
        project,
        compiler: Arc::new(compiler),
        plan,
        overrides,
        kept,
    }))
}

fn select(plan: Plan, selection: &Selection) -> Result<Plan> {
    let only: Vec<String> = selection.op_id.iter().chain(&selection.select).cloned().collect();
    let all = plan.root.steps.len();
    let selected = plan.select(&only, &selection.exclude).map_err(|unknown| {
        let error = Error::new(ErrorKind::Project, format!("no step has the id `{}`", unknown.id));
        match unknown.help {
            Some(help) => error.help(help),
            None => error,
        }
    })?;
    if all > 0 && selected.root.steps.is_empty() {
        return Err(Error::new(
            ErrorKind::Project,
            "no step is left: --exclude takes out all that is selected",
        ));
    }
    Ok(selected)
}
