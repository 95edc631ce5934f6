//! What is wrong, drawn for people: message, place, the line of the file with a caret, and what to do.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::Severity;
use crate::span::Place;

/// What is drawn: a finding of the compiler, or an error of a run.
#[derive(Debug, Clone)]
pub struct Drawing<'a> {
    pub severity: Severity,
    /// The code that `sequor explain` knows.
    pub code: &'a str,
    pub message: &'a str,
    pub place: Option<&'a Place>,
    pub help: Option<&'a str>,
}

impl Drawing<'_> {
    /// Draws it. `source`: the text of the file that the place is in, where it is known; without it the place is named.
    pub fn render(&self, source: Option<&str>, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message).id(self.code));
        if let Some(place) = self.place {
            match source.and_then(|source| Some((source, span(place, source)?))) {
                Some((source, span)) => {
                    group = group.element(
                        Snippet::source(source)
                            .path(place.file.to_string())
                            .annotation(AnnotationKind::Primary.span(span)),
                    );
                }
                None => {
                    group = group.element(
                        annotate_snippets::Origin::path(place.file.to_string())
                            .line(place.line)
                            .char_column(place.column),
                    );
                }
            }
        }
        if let Some(help) = self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

/// The bytes of a place in its file; those of the whole line when only that is known.
fn span(place: &Place, source: &str) -> Option<Range<usize>> {
    // A place inside a block of code has the block's span, and the line itself.
    let starts_there = source
        .get(..place.start)
        .is_some_and(|before| before.matches('\n').count() + 1 == place.line);
    if place.end <= source.len() && starts_there {
        // The span of a block of text reaches to where the next value begins.
        let text = source.get(place.start..place.end.max(place.start))?;
        return Some(place.start..place.start + text.trim_end().len());
    }
    let line = source.lines().nth(place.line.checked_sub(1)?)?;
    let start = line.as_ptr().addr() - source.as_ptr().addr();
    let indent = line.len() - line.trim_start().len();
    Some(start + indent..start + line.trim_end().len().max(indent))
}
