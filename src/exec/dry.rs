//! What a dry run knows: requests that it did not send, what only a real answer would give, and steps that it did not try for
//! that.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use indexmap::IndexMap;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sequor_planner::effects::Resource;
use sequor_planner::expr::{EachProp as _, Uses};
use sequor_planner::ops::RowsOf;
use sequor_planner::plan::{Action, Step};
use sequor_planner::syntax::Source;

use super::script::Script;
use crate::error::Result;
use crate::event::{Example, Findings, Unsent};
use crate::exchange::{Request, Response};
use crate::http::keep_request;
use crate::secret::{Redactor, mask_body, mask_url};

/// Examples that are kept of the requests of a step.
const EXAMPLES: usize = 3;

/// Characters of a body that are kept.
const MOST_BODY: usize = 64 * 1024;

/// What a dry run knows.
#[derive(Default)]
pub struct Dry {
    /// Whether no request at all is sent.
    pub offline: bool,
    /// What a test lays down; none: it is no test.
    pub script: Option<Script>,
    /// A folder for the requests that are not sent.
    pub keeps_requests: Option<PathBuf>,
    /// The variables that sources read: credentials, addresses.
    of_sources: OnceLock<BTreeSet<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Variables and tables whose content only a real answer gives.
    unknown: BTreeSet<Resource>,
    /// Variables of the process's environment, and of sources, that are not set.
    missing: BTreeSet<String>,
    /// By step.
    requests: IndexMap<String, Unsent>,
    not_tried: IndexMap<String, String>,
    /// How many answers were made up.
    made_up: u64,
}

impl Dry {
    /// Returns a dry run that has done nothing yet. `keeps_requests`: a folder for those that are not sent.
    pub fn new(offline: bool, script: Option<Script>, keeps_requests: Option<PathBuf>) -> Dry {
        Dry {
            offline,
            script,
            keeps_requests,
            ..Dry::default()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the variables that sources read: those that are not defined don't stop the run.
    pub fn note_sources<'s>(&self, sources: impl Iterator<Item = &'s Source>) {
        let mut names = BTreeSet::new();
        for source in sources {
            source.each_prop(&mut |prop| names.extend(prop.uses().variables));
        }
        // A run is begun once.
        let _ = self.of_sources.set(names);
    }

    /// Tells whether sources read a variable.
    pub fn is_of_sources(&self, name: &str) -> bool {
        self.of_sources.get().is_some_and(|names| names.contains(name))
    }

    /// Returns what stands for a variable of the process's environment that is not set.
    pub fn missing(&self, name: &str) -> String {
        self.state().missing.insert(name.to_string());
        format!("{name}-is-not-set")
    }

    /// Returns how many variables of the process's environment are missing so far.
    pub fn missing_so_far(&self) -> usize {
        self.state().missing.len()
    }

    /// Tells whether a text holds what stands for a missing variable.
    pub fn stands_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let state = self.state();
        let mut missing = state.missing.iter();
        missing.any(|name| text.contains(&format!("{name}-is-not-set").to_ascii_lowercase()))
    }

    /// Keeps a request that is not sent, and returns an answer in place of the real one: a success without content.
    ///
    /// # Errors
    /// A file of the request that can't be written.
    pub async fn unsent(&self, step: &str, request: &Request, redactor: &Redactor) -> Result<Response> {
        let (response, number) = self.note_unsent(step, request, redactor);
        if let Some(folder) = &self.keeps_requests {
            let file = folder.join(step).join(format!("{number:04}.yaml"));
            keep_request(&file, request, redactor).await?;
        }
        Ok(response)
    }

    /// The answer, and how many requests of the step there are now.
    fn note_unsent(&self, step: &str, request: &Request, redactor: &Redactor) -> (Response, u64) {
        let mut state = self.state();
        state.made_up += 1;
        let unsent = state.requests.entry(step.to_string()).or_default();
        unsent.count += 1;
        *unsent.methods.entry(request.method.to_string()).or_default() += 1;
        if unsent.examples.len() < EXAMPLES {
            let body = request.body.as_ref().map(|body| shown_body(body, redactor));
            unsent.examples.push(Example {
                method: request.method.to_string(),
                url: redactor.shown(&mask_url(&request.url)),
                body,
            });
        }
        let number = unsent.count;
        drop(state);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let status = if request.method == Method::DELETE {
            204
        } else {
            200
        };
        let mut response = Response::new(status, headers, request.url.clone(), Bytes::new());
        response.made_up = true;
        (response, number)
    }

    /// Returns how many answers were made up so far.
    pub fn made_up(&self) -> u64 {
        self.state().made_up
    }

    /// Notes that what a step gives is not known.
    pub fn unknown(&self, step: &Step) {
        let given = step.writes.iter().filter(|resource| {
            matches!(
                resource,
                Resource::Table { .. } | Resource::Variable(_) | Resource::Local { .. }
            )
        });
        let rejects = match &step.action {
            Action::Http(http) => http.rejects.as_ref().and_then(|table| table.table.as_text()),
            _ => None,
        };
        let is_rejects = |resource: &Resource| match (resource, rejects) {
            (Resource::Table { table, .. }, Some(rejects)) => table.eq_ignore_ascii_case(rejects),
            _ => false,
        };
        self.state()
            .unknown
            .extend(given.filter(|r| !is_rejects(r)).cloned());
    }

    /// Returns why a step is not tried; none where it can be.
    pub fn refuses(&self, step: &Step) -> Option<String> {
        let mut outside = None;
        step.each_prop(&mut |prop| outside = outside.take().or_else(|| prop.uses().outside));
        match outside {
            Some(what) => Some(format!("its Python reaches outside of the run ({what})")),
            None => self
                .needs(step)
                .map(|needs| format!("it needs {needs}, which only a real answer gives")),
        }
    }

    /// Returns what a step needs that only a real answer gives.
    fn needs(&self, step: &Step) -> Option<String> {
        let state = self.state();
        if state.unknown.is_empty() {
            return None;
        }
        let unknown = |wanted: &Resource| {
            let found = state.unknown.iter().find(|unknown| unknown.overlaps(wanted));
            found.filter(|_| {
                !matches!(
                    wanted,
                    Resource::AnyVariable | Resource::AnySource | Resource::Source(_)
                )
            })
        };
        let of_uses = |uses: Uses| {
            let mut named = uses.variables.iter();
            named.find_map(|name| {
                let same = |resource: &&Resource| match resource {
                    Resource::Variable(known) | Resource::Local { name: known, .. } => known == name,
                    _ => false,
                };
                state.unknown.iter().find(same)
            })
        };
        let found = match &step.action {
            Action::If { branches, .. } => branches
                .iter()
                .find_map(|branch| of_uses(branch.condition.uses())),
            Action::While { condition, .. } => of_uses(condition.uses()),
            Action::ForEach { rows, .. } => rows_need(rows, &state.unknown),
            Action::Try { .. } | Action::Group(_) | Action::Call { .. } => None,
            _ => step.reads.iter().find_map(unknown),
        };
        found.map(ToString::to_string)
    }

    /// Notes that a step is not tried: what it would give is not known either.
    pub fn not_tried(&self, step: &Step, because: &str) {
        self.unknown(step);
        self.state()
            .not_tried
            .insert(step.id.clone(), because.to_string());
    }

    /// Returns why a step is not tried that failed with a text: it names an unknown variable.
    pub fn named_in(&self, text: &str) -> Option<String> {
        let state = self.state();
        let mut unknown = state.unknown.iter();
        unknown.find_map(|resource| match resource {
            Resource::Variable(name) | Resource::Local { name, .. }
                if text.contains(&format!("'{name}'")) =>
            {
                Some(format!("it needs {resource}, which only a real answer gives"))
            }
            _ => None,
        })
    }

    /// Returns what was found.
    pub fn findings(&self) -> Findings {
        let state = self.state();
        Findings {
            requests: state.requests.clone(),
            not_tried: state.not_tried.clone(),
            missing: state.missing.clone(),
        }
    }
}

/// What the rows of a loop need that is not known.
fn rows_need<'u>(rows: &RowsOf, unknown: &'u BTreeSet<Resource>) -> Option<&'u Resource> {
    let table = rows.table()?;
    let name = table.table.as_text()?;
    unknown.iter().find(|resource| match resource {
        Resource::Table {
            source, table: known, ..
        } => *source == table.source && known.eq_ignore_ascii_case(name),
        _ => false,
    })
}

fn shown_body(body: &[u8], redactor: &Redactor) -> String {
    let text = match std::str::from_utf8(body) {
        Ok(text) => redactor.redact(&mask_body(text)),
        Err(_) => return format!("{} bytes", body.len()),
    };
    match text.char_indices().nth(MOST_BODY) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}
