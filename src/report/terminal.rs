//! Progress on a terminal: a spinner per running step with its counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::error::SourceText;
use super::lines::line;
use super::{Show, done};
use crate::exec::{Counters, Event};

/// Lines for what is over, spinners for what runs.
pub struct Terminal {
    bars: MultiProgress,
    running: HashMap<Arc<str>, (ProgressBar, Arc<Counters>)>,
    style: ProgressStyle,
    color: bool,
    source: SourceText,
}

impl Terminal {
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
        match event {
            Event::Started {
                step,
                depth: 0,
                title,
                counters,
                ..
            } => {
                let bar = self
                    .bars
                    .add(ProgressBar::new_spinner().with_style(self.style.clone()));
                bar.set_prefix(match title {
                    Some(title) => format!("{step} ({title})"),
                    None => step.to_string(),
                });
                bar.enable_steady_tick(Duration::from_millis(120));
                self.running.insert(step.clone(), (bar, counters.clone()));
                return;
            }
            Event::Finished { step, depth: 0, .. } => {
                if let Some((bar, _)) = self.running.remove(step) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
        if let Some((line, to_stdout)) = line(event, self.color, false, &self.source) {
            self.bars.suspend(|| match to_stdout {
                true => crate::report::out(line),
                false => crate::report::err(line),
            });
        }
    }

    fn tick(&mut self) {
        for (bar, counters) in self.running.values() {
            bar.set_message(done(counters.read()));
        }
    }

    fn end(&mut self) {
        for (_, (bar, _)) in self.running.drain() {
            bar.finish_and_clear();
        }
    }
}
