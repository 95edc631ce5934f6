//! What all requests of a step share, evaluated when it begins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use sequor_planner::ops::{OnError, VariableSet, WriteMode};
use sequor_planner::plan::{FanOut, HttpStep};

use crate::error::{Error, ErrorKind, Result};
use crate::exec::api::Api;
use crate::exec::changes::Pass;
use crate::exec::context::StepContext;
use crate::exec::incremental::Keeps;
use crate::exec::layer::Layer;
use crate::exec::load::sink::Sink;
use crate::exec::load::table::table_name;
use crate::exec::reject_tables::RejectTable;
use crate::exec::request::checkpoint::Checkpoint;
use crate::exec::request::context::{Outcome, RequestContext};
use crate::exec::request::rejects::{self, Rejects};
use crate::exec::request::row_order::RowOrder;
use crate::exec::request::{credentials, named_hosts};
use crate::exec::scope::Scope;
use crate::exec::variables;
use crate::incremental::KeepsState;
use crate::value::{Row, Value};

/// Where the rows of responses go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The tables that the step declares.
    Tables,
    /// Nowhere: they are looked at.
    Aside,
}

/// A step whose settings are evaluated: what its requests share.
pub struct Begun {
    pub context: Arc<RequestContext>,
    pub scope: Scope,
    /// The step's own variables.
    pub own: Arc<Layer>,
    /// What they are at first.
    pub init: HashMap<String, Value>,
}

/// Evaluates what all requests of the step share. `records`: rows that take the place of those of its table.
pub async fn begin(
    step: &StepContext,
    http: &HttpStep,
    destination: Destination,
    records: Option<Vec<Row>>,
    (keeps, pass): (Option<Arc<Keeps>>, Option<Arc<Pass>>),
) -> Result<Begun> {
    let run = &step.run;
    let api = run
        .apis
        .get(http.request.request.source.as_deref(), &step.scope)
        .await?;
    let init = initial(step, &http.request.init).await?;
    let own = Layer::new(init.clone());
    // The source's variables lie below the step's own.
    let (scope, of_source) = source_scope(step, &api).await?;
    let scope = scope.with(own.clone());
    let inside = step.in_scope(scope.clone());
    let missing = || run.dry.as_ref().map_or(0, |dry| dry.missing_so_far());
    let before = missing();
    let (auth, base_url) = credentials::evaluate(&inside, &api).await?;
    let unsendable = missing() > before || run.dry.as_ref().is_some_and(|dry| dry.offline);
    let round = keeps.as_ref().map(|keeps| keeps.round.clone());
    let states = keeps.map(|keeps| -> Arc<dyn KeepsState> { keeps });
    let mut sink = match destination {
        Destination::Tables => Sink::begin(&inside, &http.request, states).await?,
        Destination::Aside => Sink::begin_aside(&inside, &http.request).await?,
    };
    let replays = pass.as_ref().is_some_and(|pass| pass.replays);
    let rejects = match (&http.rejects, destination) {
        (Some(table), Destination::Tables) => {
            let (table, adds) = match replays {
                // What is rejected of an earlier attempt comes again, and is rejected then.
                true => (None, false),
                false => {
                    let target = RejectTable::new(&table.source, table_name(&inside, table).await?);
                    // Rows that are sent again leave it.
                    let journal = Some(&run.journal).filter(|_| !run.retries_rejected);
                    let mode = run.reject_tables.mode(&target, journal);
                    let adds = mode == WriteMode::Append;
                    let named = (table, target.name.clone());
                    (
                        Some((sink.add(named, &rejects::COLUMNS, mode).await?, target)),
                        adds,
                    )
                }
            };
            Some(Rejects {
                table,
                adds,
                all: matches!(step.step.on_error, OnError::Reject | OnError::Split),
                count: AtomicU64::new(0),
                last: Mutex::default(),
                counters: step.counters.clone(),
                most: http.request.max_rejects,
                what: match http.request.for_each.as_ref().and_then(|rows| rows.batch_size) {
                    Some(_) if step.step.on_error == OnError::Split || names_rows(http) => ("row", "rows"),
                    Some(_) => ("batch", "batches"),
                    None => ("row", "rows"),
                },
            })
        }
        _ => None,
    };
    let checkpoint = match (destination, &records, &pass) {
        (Destination::Tables, None, Some(pass)) => Checkpoint::of_sending(http, pass.files.as_ref()).await?,
        (Destination::Tables, None, None) => Checkpoint::open(&inside, http).await?,
        _ => None,
    };
    let context = Arc::new(RequestContext {
        success: success(&inside, http).await?,
        policy: api.policy(&http.request.request),
        limits: api.limits(&http.request.request),
        hosts: api.hosts(base_url.as_deref(), || named_hosts::of(run, &api, of_source)),
        rejects,
        stopped: AtomicBool::new(false),
        outcome: Outcome::default(),
        http: http.clone(),
        step: inside,
        api,
        auth: auth.filter(|_| !unsendable),
        base_url,
        unsendable,
        sink,
        order: match &http.fan_out {
            FanOut::Concurrent { concurrency } => RowOrder::of(http, concurrency.most()),
            FanOut::Sequential { .. } | FanOut::Single => None,
        },
        records,
        checkpoint,
        round,
        pass,
    });
    Ok(Begun {
        context,
        scope,
        own,
        init,
    })
}

/// `init.variables`: set once, before the first request.
async fn initial(step: &StepContext, init: &[VariableSet]) -> Result<HashMap<String, Value>> {
    let props: Vec<_> = init.iter().map(|v| &v.value).collect();
    let values = step.run.evaluator.kept(&props, &step.scope.world(), None).await?;
    let mut initial = HashMap::with_capacity(values.len());
    for (variable, value) in init.iter().zip(values) {
        let set = variables::expanded(variable, value)?;
        initial.extend(set.into_iter().map(|(name, value, _)| (name, value)));
    }
    Ok(initial)
}

/// The scope with the source's variables, and their values.
async fn source_scope(step: &StepContext, api: &Api) -> Result<(Scope, Vec<Value>)> {
    let Some(source) = api.source.as_ref().filter(|s| !s.variables.is_empty()) else {
        return Ok((step.scope.clone(), Vec::new()));
    };
    let layer = Layer::new(HashMap::new());
    let inner = step.in_scope(step.scope.with(layer.clone()));
    for variable in &source.variables {
        let value = inner.value(&variable.value).await?;
        for (name, value, _) in variables::expanded(variable, value)? {
            layer.set(&name, value);
        }
    }
    Ok((inner.scope, layer.all().into_values().collect()))
}

/// Statuses that are a success; none given: any 2xx.
async fn success(step: &StepContext, http: &HttpStep) -> Result<Vec<u16>> {
    let Some(prop) = &http.request.response.success_status else {
        // Read by the step's own expressions, it is theirs to judge.
        return Ok(match http.any_status {
            true => (100..600).collect(),
            false => Vec::new(),
        });
    };
    let value = step.value(prop).await?;
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

/// Tells whether a rule rejects some rows of a batch alone.
fn names_rows(http: &HttpStep) -> bool {
    http.request.response.rules.iter().any(|rule| rule.rows.is_some())
}
