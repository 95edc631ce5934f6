//! The plan, shown: as text, SVG, DOT and Mermaid. Its JSON form is the plan's own.

mod diagram;
mod svg;
mod text;

pub use diagram::{dot, mermaid};
pub use svg::svg;
pub use text::text;

use std::collections::BTreeSet;

use crate::ops::OnError;
use crate::plan::{Action, FanOut, Plan, Step};
use crate::syntax::Concurrency;

/// What a step does, in one line.
fn summary(step: &Step) -> String {
    match &step.action {
        Action::Http(http) => {
            let r = &http.request.request;
            let method = http.request.method().unwrap_or_else(|| r.method.in_short());
            let mut line = format!("{method} {}", r.url.in_short());
            if let Some(rows) = &http.request.for_each {
                let each = match rows.batch_size {
                    Some(size) => format!("{size} rows"),
                    None => "row".into(),
                };
                line.push_str(&format!(", once per {each} of {}", rows.in_short()));
            }
            if http.request.response.while_.is_some() || r.pagination.is_some() {
                line.push_str(", page by page");
            }
            line
        }
        Action::Plain(plain) => plain.operation().summary(),
        Action::If { branches, .. } => {
            let conditions: Vec<String> = branches.iter().map(|b| b.condition.in_short()).collect();
            format!("if {}", conditions.join(", else if "))
        }
        Action::ForEach { rows, .. } => format!("each row of {} as {}", rows.in_short(), rows.variable),
        Action::While {
            condition,
            max_iterations,
            ..
        } => match max_iterations {
            Some(max) => format!("while {}, at most {max} times", condition.in_short()),
            None => format!("while {}", condition.in_short()),
        },
        Action::Try { catch, .. } => match catch {
            Some(_) => "try".into(),
            None => "try, and fail after the end".into(),
        },
        Action::Group(body) => match body.steps.len() {
            1 => "1 step".into(),
            n => format!("{n} steps"),
        },
        Action::Call { flow, parameters } => match parameters {
            Some(parameters) => format!("call {flow} with {}", parameters.in_short()),
            None => format!("call {flow}"),
        },
        Action::EnterFlow { flow, parameters, .. } => match parameters {
            Some(parameters) => format!("start {flow} with {}", parameters.in_short()),
            None => format!("start {flow}"),
        },
    }
}

fn at_once(concurrency: Concurrency) -> String {
    match concurrency {
        Concurrency::Fixed(n) => format!("up to {n} at the same time"),
        Concurrency::Auto => "as many at the same time as the API takes".into(),
    }
}

fn columns(used: &BTreeSet<String>) -> String {
    match used.is_empty() {
        true => "no column of the rows is read".into(),
        false => {
            let used: Vec<&str> = used.iter().map(String::as_str).collect();
            format!("only these columns are read: {}", used.join(", "))
        }
    }
}

/// Lines about where and how a step runs.
fn notes(plan: &Plan, step: &Step) -> Vec<String> {
    let mut notes = Vec::new();
    match &step.action {
        Action::Http(http) => {
            match &http.fan_out {
                FanOut::Single => {}
                FanOut::Concurrent { concurrency } => {
                    notes.push(format!("requests: {}", at_once(*concurrency)))
                }
                FanOut::Sequential { reason } => notes.push(format!("requests: one by one, since {reason}")),
            }
            if let Some(concurrency) = http.pages_at_once {
                let many = at_once(concurrency);
                notes.push(format!("pages: {many}, when the first tells how many there are"));
            }
            notes.extend(http.row_columns.as_ref().map(columns));
            if let (Some(incremental), Some(asks)) = (&http.request.request.incremental, &http.asks) {
                notes.push(incremental.in_words(&http.request.response));
                let mut tables = http.request.response.tables.iter();
                let is_adbc = |name: &str| {
                    let known = plan.sources.iter().find(|source| source.name == name);
                    known.is_some_and(|source| source.kind == "adbc")
                };
                if tables.any(|table| is_adbc(&table.target.source)) {
                    notes.push(
                        "rows are there at least once: exactly once, where the driver has transactions"
                            .into(),
                    );
                }
                if !asks.start {
                    notes.push("everything is fetched, only new rows are kept".into());
                }
            }
            if let (Some(changes), Some(synced)) = (http.request.changes(), &http.synced) {
                notes.push(changes.in_words(&synced.snapshot));
                notes.push(match &synced.columns {
                    Some(columns) if !columns.is_empty() => {
                        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                        format!("compared: {}", columns.join(", "))
                    }
                    Some(_) => "compared: the key alone".to_string(),
                    None => "compared: all columns".to_string(),
                });
            }
            notes.extend(http.estimates.in_words(http.has_pages()));
            let response = &http.request.response;
            for t in &response.tables {
                let native = match (&t.data, &t.data_path) {
                    (None, Some(_)) => "read natively",
                    (Some(prop), _) if !prop.needs_python() => "read natively",
                    (Some(_), _) => "by Python",
                    (None, None) => "by the parser",
                };
                notes.push(format!("{}, rows {native}", t.write_mode.in_words(&t.target)));
            }
            if let Some(rejects) = &http.rejects {
                notes.push(format!("rows whose request fails go to {}", rejects.in_short()));
            }
            if step.outside {
                notes.push("changes something outside".into());
            }
        }
        Action::ForEach {
            columns: Some(used), ..
        } => notes.push(columns(used)),
        Action::Plain(plain) => notes.extend(plain.operation().notes()),
        _ => {}
    }
    for key in step.unfolds.iter().flat_map(|u| &u.keys) {
        notes.push(format!(
            "known when it starts: {} = {}",
            key.key,
            key.value.in_short()
        ));
    }
    if matches!(&step.unfolds, Some(unfolds) if unfolds.keys.is_empty()) {
        notes.push("its steps are planned when it starts: the flow is part of itself, or large".into());
    }
    if step.on_error == OnError::Continue {
        notes.push("a failure does not stop the flow".into());
    }
    if let Some(why) = &step.barrier {
        let order = match step.unordered {
            true => "its place in the flow is given up",
            false => "starts when all before it is done, and what comes behind waits",
        };
        notes.push(format!("barrier, since it {why}: {order}"));
    }
    notes
}
