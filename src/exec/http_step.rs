//! An http_request step: prepares what all its requests share, then asks once or once per row.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::expr::Prop;
use sequor_planner::ops::{VariableScope, VariableSet};
use sequor_planner::plan::{FanOut, HttpStep, Step};

use super::api::{Api, seconds};
use super::credentials;
use super::debug::{self, Look};
use super::event::Counters;
use super::flow::publish;
use super::http_fan_out;
use super::http_response;
use super::run::Run;
use super::scope::{Layer, Scope};
use super::sink::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Auth, Body, Pages, Parts, Policy, Request};
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
    let api = run.api(http.request.request.source.as_deref())?;
    let outer = scope.clone();
    let init = initial(&run, &http.request.init, &scope).await?;
    let own = Layer::new(init.clone());
    // The source's variables lie below the step's own.
    let scope = source_scope(&run, &api, &scope).await?.with(own.clone());
    let (auth, base_url) = credentials::evaluate(&run, &api, &scope).await?;
    let sink = Sink::begin(&run, &http.request, &scope, &counters).await?;
    let asking = Arc::new(Asking {
        step: step.id.clone(),
        success: success(&run, http, &scope).await?,
        policy: api.policy(http.request.request.retry.as_ref()),
        http: http.clone(),
        run: run.clone(),
        api,
        auth,
        base_url,
        sink,
        counters,
    });
    match &http.fan_out {
        FanOut::Single => converse(&asking, &scope, &own).await?,
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
    asking.sink.commit(&run).await?;
    publish_all(&run, step, http, &own, &outer);
    Ok(())
}

/// One request, and more while there are pages. `own` takes the variables that responses set.
pub async fn converse(asking: &Arc<Asking>, scope: &Scope, own: &Arc<Layer>) -> Result<()> {
    let mut pages = asking.http.request.request.pagination.as_ref().map(Pages::new);
    loop {
        let request = render(asking, scope, pages.as_ref()).await?;
        if let Some(look @ (Look::Trace | Look::Pretty)) = asking.run.debug.look {
            let mut request = request;
            if let Some(auth) = &asking.auth {
                auth.stand_in(&mut request)?;
            }
            debug::show_request(asking, &request, look).await;
            return Ok(());
        }
        if let Some(pages) = &mut pages {
            pages
                .check(&request)
                .map_err(|e| e.at(&asking.http.request.request.url_place))?;
        }
        let api = &asking.api;
        let sent = http::send(
            &*api.transport,
            &api.limits,
            &asking.policy,
            asking.auth.as_ref(),
            &asking.step,
            &request,
            &asking.success,
        )
        .await;
        asking.counters.add_request(sent.retries);
        let place = &asking.http.request.request.source_place;
        let response = sent.result.map_err(|e| match place {
            Some(place) if e.kind() == ErrorKind::Unauthorized => e.at(place),
            _ => e.at(&asking.http.request.request.url_place),
        })?;
        let response = Arc::new(response);
        let taken = http_response::take(asking, scope, own, response.clone()).await?;
        let again = match &mut pages {
            // A look at one page is enough.
            Some(_) if asking.run.debug.look.is_some() => false,
            Some(pages) => pages
                .advance(&response, taken.rows)
                .map_err(|e| e.at(&asking.http.request.request.url_place))?,
            None => taken.again,
        };
        if !again {
            return Ok(());
        }
    }
}

/// Evaluates the request in the scope.
async fn render(asking: &Asking, scope: &Scope, pages: Option<&Pages>) -> Result<Request> {
    let given = &asking.http.request.request;
    let source_headers = asking.api.source.as_ref().and_then(|s| s.headers.as_ref());
    let optional = [
        given.parameters.as_ref(),
        source_headers,
        given.headers.as_ref(),
        given.body.as_ref(),
        given.idempotency_key.as_ref(),
    ];
    let props: Vec<Prop> = [Some(&given.url), Some(&given.method)]
        .into_iter()
        .chain(optional)
        .flatten()
        .cloned()
        .collect();
    let mut values = asking
        .run
        .evaluator
        .all(props, &scope.world(), None)
        .await?
        .into_iter();
    let mut next = |there: bool| if there { values.next() } else { None };
    let url = next(true).unwrap_or(Value::Null);
    let method = next(true).unwrap_or(Value::Null);
    let [parameters, source_headers, headers, body, idempotency_key] = optional.map(|p| next(p.is_some()));
    let (mut url, mut parameters, mut body) = (url, parameters, body);
    if let Some(pages) = pages {
        let given = pages.parameters();
        match (pages.link(), pages.in_body()) {
            (Some(link), _) => (url, parameters) = (Value::text(link), None),
            (None, true) => body = Some(with(body, given)?),
            (None, false) => parameters = Some(with(parameters, given)?),
        }
    }
    let parts = Parts {
        base_url: asking.base_url.as_deref(),
        url,
        method,
        parameters,
        headers: [source_headers, headers],
        body: body.map(|value| Body {
            format: given.body_format,
            value,
        }),
        idempotency_key,
        timeout: given.timeout.map(seconds),
    };
    let mut request = http::build(parts)?;
    if let Some(auth) = &asking.auth {
        auth.apply(&mut request)?;
    }
    Ok(request)
}

/// A map of parameters, or a body, with those of the paging.
fn with(given: Option<Value>, more: Vec<(String, Value)>) -> Result<Value> {
    let mut entries = match given {
        None | Some(Value::Null) => IndexMap::new(),
        Some(Value::Map(entries)) => Arc::unwrap_or_clone(entries),
        Some(other) => {
            let message = format!(
                "`pagination` adds to a map of names to values, and finds {}",
                other.kind()
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
    };
    entries.extend(more);
    Ok(Value::Map(Arc::new(entries)))
}

/// `init.variables`: set once, before the first request.
async fn initial(run: &Run, init: &[VariableSet], scope: &Scope) -> Result<HashMap<String, Value>> {
    let props = init.iter().map(|v| v.value.clone()).collect();
    let values = run.evaluator.all(props, &scope.world(), None).await?;
    Ok(init.iter().map(|v| v.name.clone()).zip(values).collect())
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
        layer.set(&variable.name, value);
    }
    Ok(inner)
}

/// Statuses that are a success; none given: any 2xx.
async fn success(run: &Run, http: &HttpStep, scope: &Scope) -> Result<Vec<u16>> {
    let Some(prop) = &http.request.response.success_status else {
        return Ok(Vec::new());
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
fn publish_all(run: &Run, step: &Step, http: &HttpStep, own: &Layer, scope: &Scope) {
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
    for (name, value) in own.all() {
        if step.private.contains(&name) || step_local(&name) {
            continue;
        }
        let scope_of = returned.get(&name).or_else(|| kept.get(name.as_str())).copied();
        let scope_of = scope_of.unwrap_or(VariableScope::Project);
        publish(run, scope, &name, scope_of, value);
    }
}
