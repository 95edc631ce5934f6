//! Compiling, as several commands do it: findings are shown.

use std::path::Path;
use std::sync::Arc;

use sequor_planner::plan::Plan;
use sequor_planner::{CompilerStage, PlanOptions};

use super::args::Selection;
use super::context::{Context, overrides, tally};
use crate::engine::{CompileError, CompileOptions, Compiled, PlanFile, Project, ResumeOptions, Resumed};
use crate::error::Result;

/// Returns what a command line says about compiling.
pub fn options(variables: &[String], selection: &Selection) -> Result<CompileOptions> {
    Ok(CompileOptions {
        variables: overrides(variables)?,
        plan: PlanOptions {
            select: selection.op_id.iter().chain(&selection.select).cloned().collect(),
            exclude: selection.exclude.clone(),
            in_order: false,
        },
    })
}

/// Compiles a flow; none, after showing why, when there are errors.
pub async fn compile(context: &Context, flow: &str, options: &CompileOptions) -> Result<Option<Compiled>> {
    let project = context.project()?;
    let compiled = project.compile(flow, options).await;
    shown(context, &project, compiled)
}

/// Returns the same for a dry run, for which the environment need not be there.
pub async fn dry(context: &Context, flow: &str, options: &CompileOptions) -> Result<Option<Compiled>> {
    let (project, missing) = Project::open_dry(&context.location)?;
    if let Some(missing) = missing {
        crate::report::err(format!(
            "note: there is no environment `{missing}`: its variables are not set"
        ));
    }
    let project = Arc::new(project);
    let compiled = project.compile(flow, options).await;
    shown(context, &project, compiled)
}

/// Returns the same; `stage` gets each stage of the compiler.
pub async fn in_stages(
    context: &Context,
    flow: &str,
    options: &CompileOptions,
    stage: &mut (dyn FnMut(CompilerStage, &Plan) + Send),
) -> Result<Option<Compiled>> {
    let project = context.project()?;
    let compiled = project.compile_in_stages(flow, options, stage).await;
    shown(context, &project, compiled)
}

/// Compiles the plan of a file; none, after showing why, when there are errors.
pub async fn reviewed(context: &Context, file: &Path, variables: &[String]) -> Result<Option<Compiled>> {
    let reviewed = PlanFile::read(file)?;
    let project = context.project()?;
    let compiled = reviewed.compile(&project, overrides(variables)?).await;
    shown(context, &project, compiled)
}

/// Compiles the flow of a run again, to go on with it; none, after showing why, when there are errors.
pub async fn resumed(
    context: &Context,
    flow: &str,
    options: ResumeOptions,
) -> Result<Option<(Compiled, Resumed)>> {
    let project = context.project()?;
    let found = project.resume(flow, options).await;
    let (compiled, resumed) = match found {
        Ok((compiled, resumed)) => (Ok(compiled), Some(resumed)),
        Err(error) => (Err(error), None),
    };
    let compiled = shown(context, &project, compiled)?;
    Ok(compiled.zip(resumed))
}

fn shown(
    context: &Context,
    project: &Project,
    compiled: Result<Compiled, CompileError>,
) -> Result<Option<Compiled>> {
    match compiled {
        Ok(compiled) => {
            context.show(&compiled.findings, &project.files);
            Ok(Some(compiled))
        }
        Err(CompileError::Findings(found)) => {
            context.show(&found, &project.files);
            crate::report::err(tally(&found));
            Ok(None)
        }
        Err(CompileError::Error(error)) => Err(error),
    }
}
