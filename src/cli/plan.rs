//! `sequor plan`.

use sequor_planner::explain;

use super::args::{self, PlanFormat};
use super::compile;
use super::context::Context;
use crate::engine::{PlanFile, Session};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::report::out;

/// Shows what a run would do.
pub fn plan(context: &Context, args: &args::Plan) -> Result<Exit> {
    let mut runtime = match args.estimate {
        true => tokio::runtime::Builder::new_multi_thread(),
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let options = compile::options(&args.variables, &args.selection)?;
    let Some(mut compiled) = runtime.block_on(compile::compile(context, &args.flow, &options))? else {
        return Ok(Exit::Wrong);
    };
    if args.estimate {
        let session = Session::new(&compiled.loaded);
        runtime.block_on(session.estimate(&mut compiled))?;
    }
    if let Some(path) = &args.out {
        PlanFile::of(&compiled, &options)?.write(path)?;
    }
    let plan = &compiled.plan;
    match args.format {
        PlanFormat::Text => out(explain::text(plan).trim_end()),
        PlanFormat::Dot => out(explain::dot(plan).trim_end()),
        PlanFormat::Mermaid => out(explain::mermaid(plan).trim_end()),
        PlanFormat::Json => {
            let json = serde_json::to_string_pretty(plan);
            out(json.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?);
        }
    }
    Ok(Exit::Done)
}
