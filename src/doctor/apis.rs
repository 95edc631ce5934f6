//! Whether an API answers, and takes the credentials of its source: its `base_url` is asked for, by a flow of one step.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sequor_planner::syntax::HttpSource;
use sequor_planner::{Diagnostics, PlanOptions};

use super::{Found, PATIENCE, of_error, silent};
use crate::engine::{CompileOptions, Compiled, DryOptions, DryRun, Keeps, Loaded, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Check, ErrorReport, RunReport};

/// The name of the flow, which no file has.
const FLOW: &str = "_doctor";

/// Checks an API.
pub async fn check(loaded: &Loaded, source: &str, http: &HttpSource) -> Found {
    let name = format!("source {source}");
    let base = http.base_url.is_some();
    let asked = tokio::time::timeout(PATIENCE, ask(loaded, source, base)).await;
    match asked {
        Err(_) => silent(name).into(),
        Ok(Err(error)) => of_error(&name, &error).into(),
        Ok(Ok(answer)) if base || !answer.missing.is_empty() => answer.found(name),
        // Where its requests go is known by the steps alone; what was made up for them says nothing.
        Ok(Ok(_)) => Check::ok(name, "an API without `base_url`: nothing is asked").into(),
    }
}

/// Statuses that say that credentials are not taken.
const REFUSALS: [u16; 3] = [401, 403, 407];

/// Other statuses say no more than that there is no such page.
const FLOW_TEXT: &str = r#"
- op: http_request
  id: ask
  request: {source: SOURCE, url: ADDRESS, method: GET, retry: {max_attempts: 1}}
  response:
    rules:
      - {status: REFUSALS, action: fail, message: the credentials were not taken}
      - {status: [OTHERS], action: stop}
    variables:
      status: {value_expression: response.status_code}
      date: {value_expression: "response.headers.get('Date')"}
"#;

/// What a flow of one step found.
struct Answer {
    report: RunReport,
    /// Variables of the environment that are not set.
    missing: Vec<String>,
    status: Option<String>,
    date: Option<String>,
}

impl Answer {
    fn found(self, name: String) -> Found {
        if !self.missing.is_empty() {
            let detail = format!("not set in the environment: {}", self.missing.join(", "));
            return Check::warning(name, detail, "set them, and look again").into();
        }
        if let Some(ErrorReport { message, help, .. }) = self.report.error {
            let fix =
                help.unwrap_or_else(|| "check the credentials in the source and in the environment".into());
            return Check::failed(name, message, Some(fix)).into();
        }
        let ahead = self
            .date
            .as_deref()
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        // Differences of clocks are small.
        #[allow(clippy::cast_precision_loss)]
        let ahead = ahead.map(|theirs| (Utc::now() - theirs.to_utc()).num_milliseconds() as f64 / 1000.0);
        let status = self
            .status
            .map_or(String::new(), |status| format!(" (HTTP {status})"));
        Found {
            check: Check::ok(name, format!("answers{status}")),
            ahead,
        }
    }
}

/// Asks an API; one without `base_url` is not asked, and only what its credentials need is looked at.
async fn ask(loaded: &Loaded, source: &str, base: bool) -> Result<Answer> {
    let others: Vec<String> = (300..600)
        .filter(|status| !REFUSALS.contains(status))
        .map(|s| s.to_string())
        .collect();
    let flow = FLOW_TEXT
        .replace("SOURCE", &serde_json::Value::from(source).to_string())
        .replace("ADDRESS", if base { "/" } else { "https://localhost/" })
        .replace("REFUSALS", &format!("{REFUSALS:?}"))
        .replace("OTHERS", &others.join(", "));
    let project = Arc::new(loaded.project.with_flow(FLOW, &flow));
    let mut d = Diagnostics::default();
    let plan = match project.load(loaded.overrides.clone(), &mut d)? {
        None => None,
        Some(own) => {
            let plan = own
                .plan(FLOW, &PlanOptions::default(), &mut d, &mut |_, _| {})
                .ok()
                .flatten();
            plan.filter(|_| !d.has_errors()).map(|plan| (own, plan))
        }
    };
    let Some((own, plan)) = plan else {
        let found: Vec<String> = d.into_sorted().into_iter().map(|found| found.message).collect();
        return Err(Error::new(ErrorKind::Project, found.join("; ")));
    };
    let compiled = Compiled {
        loaded: own,
        plan,
        options: CompileOptions::default(),
        findings: Vec::new(),
    };
    let dry_run = DryRun::new(DryOptions {
        sample: 0,
        fixtures: None,
        offline: !base,
        keeps: Keeps::default(),
        out: None,
    })?;
    let session = Session::new(&compiled.loaded).dry_run(Some(dry_run.clone()));
    let report = session.start(&compiled).await?.wait().await?;
    let text = |name: &str| dry_run.variable(name).map(|value| value.to_text());
    let answer = Answer {
        report,
        missing: dry_run.findings().missing.into_iter().collect(),
        status: text("status"),
        date: text("date"),
    };
    dry_run.close().await;
    Ok(answer)
}
