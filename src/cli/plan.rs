//! `sequor plan`.

use sequor_planner::plan::Plan;
use sequor_planner::{CompilerStage, explain};
use similar::TextDiff;

use super::args::{self, PlanFormat};
use super::compile;
use super::context::Context;
use crate::engine::{CompileOptions, PlanFile, Session, note_changed_requests};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::report::{SourceText, out};

/// Shows what a run would do.
pub fn plan(context: &Context, args: &args::Plan) -> Result<Exit> {
    let mut runtime = match args.estimate {
        true => tokio::runtime::Builder::new_multi_thread(),
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let mut options = compile::options(&args.variables, &args.selection)?;
    options.plan.in_order = args.in_order;
    if args.stages {
        return runtime.block_on(stages(context, args, &options));
    }
    let Some(mut compiled) = runtime.block_on(compile::compile(context, &args.flow, &options))? else {
        return Ok(Exit::Wrong);
    };
    if !args.estimate {
        runtime.block_on(note_changed_requests(&mut compiled))?;
    } else {
        let session = Session::new(&compiled.loaded);
        runtime.block_on(session.estimate(&mut compiled))?;
    }
    if args.dry_run {
        let untried = crate::engine::untried(&compiled.loaded, &compiled.plan)?;
        let source = SourceText::new(&compiled.loaded.project.files, false, true);
        untried.iter().for_each(|error| context.complain(error, &source));
        if !untried.is_empty() {
            return Ok(Exit::Wrong);
        }
    }
    if let Some(path) = &args.out {
        PlanFile::of(&compiled)?.write(path)?;
    }
    let plan = &compiled.plan.without_secrets();
    match args.format {
        PlanFormat::Text => out(explain::text(plan).trim_end()),
        PlanFormat::Svg => out(explain::svg(plan).trim_end()),
        PlanFormat::Dot => out(explain::dot(plan).trim_end()),
        PlanFormat::Mermaid => out(explain::mermaid(plan).trim_end()),
        PlanFormat::Json => {
            let json = serde_json::to_string_pretty(plan);
            out(json.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
        }
    }
    Ok(Exit::Done)
}

/// Shows the plan behind each stage of the compiler.
async fn stages(context: &Context, args: &args::Plan, options: &CompileOptions) -> Result<Exit> {
    if !matches!(args.format, PlanFormat::Text | PlanFormat::Json) {
        return Err(
            Error::new(ErrorKind::Project, "--stages shows text or JSON").help("use --format text or json")
        );
    }
    let mut seen: Vec<(CompilerStage, serde_json::Result<String>)> = Vec::new();
    let mut stage = |stage: CompilerStage, plan: &Plan| {
        seen.push((stage, serde_json::to_string_pretty(&plan.without_secrets())))
    };
    let compiled = compile::in_stages(context, &args.flow, options, &mut stage).await?;
    let mut before: Option<String> = None;
    let mut all = Vec::new();
    for (stage, plan) in seen {
        let plan = plan.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        if args.format == PlanFormat::Json {
            let plan: serde_json::Value =
                serde_json::from_str(&plan).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
            all.push(serde_json::json!({"stage": stage.name, "about": stage.about, "plan": plan}));
            continue;
        }
        out(format!("-- {}: {}", stage.name, stage.about));
        match &before {
            None => out(&plan),
            Some(before) if *before == plan => out("   (nothing changes)"),
            Some(before) => {
                let changes = TextDiff::from_lines(before, &plan);
                out(changes.unified_diff().context_radius(3).to_string().trim_end());
            }
        }
        before = Some(plan);
    }
    if args.format == PlanFormat::Json {
        let all = serde_json::to_string_pretty(&all);
        out(all.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
    }
    Ok(match compiled {
        Some(_) => Exit::Done,
        None => Exit::Wrong,
    })
}
