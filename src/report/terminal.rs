//! Progress on a terminal: a spinner per running step with its counts.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::error::SourceText;
use super::lines::line;
use super::{Show, done};
use crate::event::{Event, EventKind};

/// Lines for what is over, spinners for what runs.
pub struct Terminal {
    bars: MultiProgress,
    running: HashMap<String, ProgressBar>,
    style: ProgressStyle,
    color: bool,
    source: SourceText,
}

impl Terminal {
    /// Returns a reporter that has written nothing yet.
    pub fn new(color: bool, source: SourceText) -> Self {
        let template = match color {
            true => "{spinner:.cyan} {prefix} {elapsed:.dim}  {msg}",
            false => "{spinner} {prefix} {elapsed}  {msg}",
        };
        Terminal {
            bars: MultiProgress::new(),
            running: HashMap::new(),
            style: ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            color,
            source,
        }
    }
}

impl Show for Terminal {
    fn event(&mut self, event: &Event) {
        let step = event.step.as_deref().unwrap_or_default();
        match &event.kind {
            EventKind::StepStarted { depth: 0, title, .. } => {
                let bar = self
                    .bars
                    .add(ProgressBar::new_spinner().with_style(self.style.clone()));
                bar.set_prefix(match title {
                    Some(title) => format!("{step} ({title})"),
                    None => step.to_string(),
                });
                bar.enable_steady_tick(Duration::from_millis(120));
                self.running.insert(step.to_string(), bar);
                return;
            }
            EventKind::Progress { totals } => {
                if let Some(bar) = self.running.get(step) {
                    bar.set_message(done(*totals));
                }
                return;
            }
            EventKind::StepFinished { depth: 0, .. } => {
                if let Some(bar) = self.running.remove(step) {
                    bar.finish_and_clear();
                }
            }
            EventKind::RunFinished(_) => self.end(),
            _ => {}
        }
        if let Some((line, to_stdout)) = line(event, self.color, false, &self.source) {
            self.bars.suspend(|| match to_stdout {
                true => crate::report::out(line),
                false => crate::report::err(line),
            });
        }
    }

    fn end(&mut self) {
        for (_, bar) in self.running.drain() {
            bar.finish_and_clear();
        }
    }
}
