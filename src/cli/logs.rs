//! `sequor logs`.

use super::args::{self, RunFormat};
use super::context::Context;
use super::state;
use crate::error::{Exit, Result};
use crate::report::{SourceText, Style, replay};

/// Prints what a run told.
pub fn logs(context: &Context, args: &args::Show) -> Result<Exit> {
    let style = match args.format {
        RunFormat::Json => Style::Json,
        RunFormat::Text => Style::Lines,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (loaded, store) = state::open(context).await?;
        let record = store.run(args.run.as_deref()).await?;
        let source = SourceText::new(&loaded.project.files, true, true);
        let mut after = 0;
        loop {
            let (events, last) = store.events(record.run, after).await?;
            if last == after {
                break;
            }
            replay(&events, style, context.color_out, &source);
            after = last;
        }
        store.close().await;
        Ok(Exit::Done)
    })
}
