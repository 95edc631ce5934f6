//! An http_request step: prepares what all its requests share, then asks once, once per row or once per batch of rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use sequor_planner::ops::{OnError, VariableScope, VariableSet};
use sequor_planner::plan::{FanOut, HttpStep, Step};

use super::api::Api;
use super::credentials;
use super::event::{Counters, Event};
use super::http_converse::converse;
use super::http_fan_out;
use super::rejects::{self, Rejects};
use super::run::Run;
use super::scope::{Layer, Scope};
use super::sink::Sink;
use super::turn::Variable;
use super::variables;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Auth, Hosts, Limits, Policy};
use crate::value::Value;

/// What all requests of a step share.
pub struct Asking {
    pub run: Arc<Run>,
    pub step: String,
    pub http: HttpStep,
    pub api: Arc<Api>,
    pub auth: Option<Auth>,
    pub base_url: Option<String>,
    pub success: Vec<u16>,
    pub policy: Policy,
    pub limits: Limits,
    /// Where requests may go.
    pub hosts: Hosts,
    pub rejects: Option<Rejects>,
    /// Set when a rule says to ask no more.
    pub stopped: AtomicBool,
    pub sink: Sink,
    pub counters: Arc<Counters>,
}

/// Runs the step.
pub async fn run(
    run: Arc<Run>,
    step: &Step,
    http: &HttpStep,
    scope: Scope,
    counters: Arc<Counters>,
) -> Result<()> {
    let api = run
        .apis
        .get(http.request.request.source.as_deref(), &scope)
        .await?;
    let outer = scope.clone();
    let init = initial(&run, &http.request.init, &scope).await?;
    let own = Layer::new(init.clone());
    // The source's variables lie below the step's own.
    let scope = source_scope(&run, &api, &scope).await?.with(own.clone());
    let (auth, base_url) = credentials::evaluate(&run, &api, &scope).await?;
    let mut sink = Sink::begin(&run, &http.request, &scope, &counters).await?;
    let rejects = match (&http.rejects, run.debug.look) {
        (Some(table), None) => Some(Rejects {
            table: sink.add(&run, table, &rejects::COLUMNS, &scope).await?,
            all: step.on_error == OnError::Reject,
            count: AtomicU64::new(0),
            what: match http.request.for_each.as_ref().and_then(|rows| rows.batch_size) {
                Some(_) => ("batch", "batches"),
                None => ("row", "rows"),
            },
        }),
        _ => None,
    };
    let asking = Arc::new(Asking {
        step: step.id.clone(),
        success: success(&run, http, &scope).await?,
        policy: api.policy(http.request.request.retry.as_ref()),
        limits: api.limits(&http.request.request),
        hosts: api.hosts(base_url.as_deref()),
        rejects,
        stopped: AtomicBool::new(false),
        http: http.clone(),
        run: run.clone(),
        api,
        auth,
        base_url,
        sink,
        counters,
    });
    match &http.fan_out {
        FanOut::Single => converse(&asking, &scope, &own)
            .await
            .map_err(|failure| failure.error)?,
        FanOut::Concurrent { .. } | FanOut::Sequential { .. } => {
            http_fan_out::run(&asking, &scope, &own, &init).await?;
        }
    }
    // Requests are over: this is the last holder.
    let asking = Arc::into_inner(asking)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "requests outlived their step"))?;
    if run.debug.look.is_some() {
        return Ok(());
    }
    if let (Some(rejects), Some(table)) = (&asking.rejects, &http.rejects)
        && let Some(warning) = rejects.warning(&step.id, table.table.as_text().unwrap_or_default())
    {
        run.events.emit(Event::Warning(warning)).await;
    }
    let set = to_publish(http, &own, &outer);
    outer.stage(&set);
    asking.sink.commit(&run).await?;
    outer.publish(set);
    Ok(())
}

/// `init.variables`: set once, before the first request.
async fn initial(run: &Run, init: &[VariableSet], scope: &Scope) -> Result<HashMap<String, Value>> {
    let props: Vec<_> = init.iter().map(|v| &v.value).collect();
    let values = run.evaluator.kept(&props, &scope.world(), None).await?;
    let mut initial = HashMap::with_capacity(values.len());
    for (variable, value) in init.iter().zip(values) {
        let set = variables::expanded(variable, value)?;
        initial.extend(set.into_iter().map(|(name, value, _)| (name, value)));
    }
    Ok(initial)
}

/// The scope with the variables of the http source.
async fn source_scope(run: &Run, api: &Api, scope: &Scope) -> Result<Scope> {
    let Some(source) = api.source.as_ref().filter(|s| !s.variables.is_empty()) else {
        return Ok(scope.clone());
    };
    let layer = Layer::new(HashMap::new());
    let inner = scope.with(layer.clone());
    for variable in &source.variables {
        let value = run.evaluator.one(&variable.value, &inner.world(), None).await?;
        for (name, value, _) in variables::expanded(variable, value)? {
            layer.set(&name, value);
        }
    }
    Ok(inner)
}

/// Statuses that are a success; none given: any 2xx.
async fn success(run: &Run, http: &HttpStep, scope: &Scope) -> Result<Vec<u16>> {
    let Some(prop) = &http.request.response.success_status else {
        // Read by the step's own expressions, it is theirs to judge.
        return Ok(match http.any_status {
            true => (100..600).collect(),
            false => Vec::new(),
        });
    };
    let value = run.evaluator.one(prop, &scope.world(), None).await?;
    let items = match value {
        Value::List(items) => items.to_vec(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let status = |v: &Value| {
        v.to_text()
            .trim()
            .parse::<u16>()
            .ok()
            .filter(|s| (100..600).contains(s))
    };
    items
        .iter()
        .map(|v| {
            status(v).ok_or_else(|| {
                Error::new(
                    ErrorKind::Project,
                    format!("`success_status` holds {}, which is no HTTP status", v.to_text()),
                )
            })
        })
        .collect()
}

/// After success, variables become visible to the steps behind; a failed step leaves them as they were.
fn to_publish(http: &HttpStep, own: &Layer, scope: &Scope) -> Vec<(Variable, Value)> {
    let init = http.request.init.iter();
    let response = http.request.response.variables.iter();
    let kept: HashMap<&str, VariableScope> = init
        .clone()
        .chain(response)
        .map(|v| (v.name.as_str(), v.scope))
        .collect();
    let returned = own.scopes();
    let step_local = |name: &str| {
        // `scope: local` in `init` means: this step.
        init.clone()
            .any(|v| v.name == name && v.scope == VariableScope::Local)
    };
    let set = own.all().into_iter().filter(|(name, _)| !step_local(name));
    set.map(|(name, value)| {
        let scope_of = returned.get(&name).or_else(|| kept.get(name.as_str())).copied();
        let scope_of = scope_of.unwrap_or(VariableScope::Project);
        (scope.target(&name, scope_of), value)
    })
    .collect()
}
