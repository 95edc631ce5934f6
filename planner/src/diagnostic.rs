//! Diagnostics: what the compiler tells the user about the project, and how it is shown.

use serde::Serialize;

use crate::codes::Code;
use crate::drawing::Drawing;
use crate::span::Place;

/// How bad it is: an error keeps the flow from running, a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// One finding: a stable code, what is wrong, where, and what to do.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: Code,
    pub message: String,
    /// Where; none when it is about the project as a whole.
    pub place: Option<Place>,
    pub help: Option<String>,
}

/// Findings in the order they were made.
#[derive(Debug, Default, Clone)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Templates that Python's Jinja2 renders: their properties, and where they stand.
    pub(crate) jinja2: Vec<(String, Place)>,
    /// What the step being read leaves to the run; none outside of steps.
    pub(crate) deferred: Option<Vec<Deferral>>,
}

/// A key that a step leaves to the run.
#[derive(Debug, Clone)]
pub(crate) struct Deferral {
    /// Without `_expression`.
    pub key: &'static str,
    /// Where the key stands.
    pub at: Place,
    /// Whether its value is text whatever it looks like: a name, a word.
    pub is_text: bool,
}

impl Diagnostics {
    /// Adds an error; the returned reference takes a help line.
    pub fn error(
        &mut self,
        code: Code,
        place: impl Into<Option<Place>>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, code, place.into(), message.into())
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        code: Code,
        place: impl Into<Option<Place>>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, code, place.into(), message.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        place: Option<Place>,
        message: String,
    ) -> &mut Diagnostic {
        let at = self.list.len();
        self.list.push(Diagnostic {
            severity,
            code,
            message,
            place,
            help: None,
        });
        &mut self.list[at]
    }

    /// Returns how many of the findings are errors.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Diagnostics) {
        self.list.extend(other.list.iter().cloned());
        self.jinja2.extend(other.jinja2.iter().cloned());
    }

    /// Tells whether a template needs Python's Jinja2: it uses what the native engine does not have, or has otherwise.
    pub fn needs_jinja2(&self) -> bool {
        !self.jinja2.is_empty()
    }

    /// Adds an error for each template that needs Jinja2, which is not installed.
    pub fn jinja2_is_missing(&mut self) {
        for (property, place) in std::mem::take(&mut self.jinja2) {
            let message =
                format!("the Jinja of `{property}` is rendered by Python's Jinja2, which is not installed");
            self.error(Code::JinjaSyntax, place, message)
                .help("python3 -m pip install jinja2, in the virtualenv that is active");
        }
    }

    /// Returns the same findings, none of them an error.
    pub fn as_warnings(&self) -> Diagnostics {
        let warning = |found: &Diagnostic| Diagnostic {
            severity: Severity::Warning,
            ..found.clone()
        };
        Diagnostics {
            list: self.list.iter().map(warning).collect(),
            jinja2: Vec::new(),
            deferred: None,
        }
    }

    /// Tells whether anything found is an error.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// Returns the findings, sorted by file and line, the same one only once.
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        let mut list = self.list;
        let key = |d: &Diagnostic| d.place.as_ref().map(|p| (p.file.to_string(), p.line, p.column));
        // Errors first: what is an error somewhere is one.
        list.sort_by_key(|d| (key(d), d.severity == Severity::Warning));
        list.dedup_by(|a, b| a.code == b.code && a.message == b.message && key(a) == key(b));
        list
    }
}

impl Diagnostic {
    /// Sets the help line.
    pub fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }

    /// Sets the help line when there is one to set.
    pub fn maybe_help(&mut self, help: Option<String>) {
        self.help = help;
    }

    /// Returns the diagnostic as an annotation of GitHub Actions
    /// (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
    pub fn github(&self) -> String {
        let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut properties = Vec::new();
        if let Some(place) = &self.place {
            properties.push(format!("file={}", property(&place.file)));
            properties.push(format!("line={}", place.line));
            properties.push(format!("col={}", place.column));
        }
        properties.push(format!("title={}", self.code.as_str()));
        let mut message = self.message.clone();
        if let Some(help) = &self.help {
            message.push_str(&format!("\n{help}"));
        }
        format!("::{kind} {}::{}", properties.join(","), data(&message))
    }

    /// Returns the diagnostic as a person reads it: message, `file:line:column`, source line with a caret, help.
    /// `source` is the text of the file the diagnostic is in.
    pub fn render(&self, source: Option<&str>, color: bool) -> String {
        let drawing = Drawing {
            severity: self.severity,
            code: self.code.as_str(),
            message: &self.message,
            place: self.place.as_ref(),
            help: self.help.as_deref(),
        };
        drawing.render(source, color)
    }
}

/// Returns the candidate nearest to `name`, when it is near enough to be a slip of the keyboard.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Of one or two letters anything is one slip away.
    if name.chars().count() < 3 {
        return candidates.into_iter().find(|c| c.eq_ignore_ascii_case(name));
    }
    candidates
        .into_iter()
        .map(|c| {
            (
                strsim::damerau_levenshtein(&name.to_lowercase(), &c.to_lowercase()),
                c,
            )
        })
        .filter(|(distance, c)| *distance <= 1 + c.chars().count().max(name.chars().count()) / 4)
        .min()
        .map(|(_, c)| c)
}

/// "did you mean `x`?", or the list of what is there.
pub fn did_you_mean<'a>(
    name: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(name, candidates.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match candidates.len() {
        0 => None,
        1..=24 => Some(format!("{what}: {}", candidates.join(", "))),
        _ => None,
    }
}
