//! `http_request`: prepares what all its requests share, then asks once, once per row or once per batch of rows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sequor_planner::ops::{OnError, VariableScope, VariableSet, WriteMode};
use sequor_planner::plan::{FanOut, HttpStep};

use crate::error::{Error, ErrorKind, Result};
use crate::exec::api::Api;
use crate::exec::context::StepContext;
use crate::exec::incremental::{Keeps, Sync};
use crate::exec::load::sink::Sink;
use crate::exec::load::table::table_name;
use crate::exec::reject_tables::RejectTable;
use crate::exec::request::checkpoint::Checkpoint;
use crate::exec::request::context::{Outcome, RequestContext};
use crate::exec::request::rejects::{self, Rejects};
use crate::exec::request::row_order::RowOrder;
use crate::exec::request::{credentials, fan_out, named_hosts};
use crate::exec::scope::{Layer, Scope};
use crate::exec::turn::Variable;
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
    keeps: Option<Arc<Keeps>>,
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
    let rejects = match (&http.rejects, destination) {
        (Some(table), Destination::Tables) => {
            let target = RejectTable::new(&table.source, table_name(&inside, table).await?);
            // Rows that are sent again leave it.
            let journal = Some(&run.journal).filter(|_| !run.retries_rejected);
            let mode = run.reject_tables.mode(&target, journal);
            let adds = mode == WriteMode::Append;
            let named = (table, target.name.clone());
            Some(Rejects {
                table: sink.add(named, &rejects::COLUMNS, mode).await?,
                target,
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
    let checkpoint = match (destination, &records) {
        (Destination::Tables, None) => Checkpoint::open(&inside, http).await?,
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
    });
    Ok(Begun {
        context,
        scope,
        own,
        init,
    })
}

/// Runs the step. `records`: rows that take the place of those of its table.
pub async fn run(step: &StepContext, http: &HttpStep, records: Option<Vec<Row>>) -> Result<()> {
    let Some(sync) = Sync::begin(step, http, true).await? else {
        return once(step, http, records, None).await;
    };
    // Each window is a load of its own.
    for number in 0.. {
        let keeps = Arc::new(sync.clone().round(number));
        once(step, http, records.clone(), Some(keeps.clone())).await?;
        if number == 0 && http.request.for_each.is_none() && keeps.round.asks_nothing() {
            let why = "what is asked for would end before it starts";
            step.warn(format!("{}: nothing was asked for: {why}", step.id()))
                .await;
        }
        if !keeps.round.has_more() {
            break;
        }
    }
    Ok(())
}

/// Asks for every row once. `keeps`: the round of an incremental step.
async fn once(
    step: &StepContext,
    http: &HttpStep,
    records: Option<Vec<Row>>,
    keeps: Option<Arc<Keeps>>,
) -> Result<()> {
    let Begun {
        context,
        scope,
        own,
        init,
    } = begin(step, http, Destination::Tables, records, keeps).await?;
    let asked = match &http.fan_out {
        FanOut::Single => fan_out::single(&context, &scope, &own).await,
        FanOut::Concurrent { .. } | FanOut::Sequential { .. } => {
            fan_out::run(&context, &scope, &own, &init).await
        }
    };
    let asked = match asked {
        Ok(()) => not_in_doubt(step, &context).await,
        failed => failed,
    };
    if let Err(error) = asked {
        keep_rejects(step, context, &error).await?;
        return Err(error);
    }
    if let Some(checkpoint) = &context.checkpoint {
        match checkpoint.skipped.load(Ordering::Relaxed) {
            0 => {}
            1 => {
                step.warn(format!("{}: 1 row in doubt counts as sent", step.id()))
                    .await
            }
            n => {
                step.warn(format!("{}: {n} rows in doubt count as sent", step.id()))
                    .await
            }
        }
    }
    if step.scope.stop().is_cancelled() {
        return Err(Error::new(ErrorKind::Cancelled, "interrupted"));
    }
    // Requests are over: this is the last holder.
    let context = Arc::into_inner(context)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "requests outlived their step"))?;
    if let (Some(rejects), Some(table)) = (&context.rejects, &http.rejects)
        && let Some(warning) = rejects.warning(step.id(), table.table.as_text().unwrap_or_default())
    {
        step.warn(warning).await;
    }
    let set = to_publish(http, &own, &step.scope);
    step.scope.stage(&set);
    let mark = context.outcome.take_mark();
    let rejects = context.rejects.as_ref().map(|rejects| rejects.target.clone());
    match context.outcome.keeps_tables() {
        Some(why) => {
            if !http.request.response.tables.is_empty() {
                step.warn(format!("{}: {why}: its tables stay as they are", step.id()))
                    .await;
            }
            context.sink.commit_apart().await?;
        }
        None => context.sink.commit().await?,
    }
    if let Some(rejects) = &rejects {
        step.run.reject_tables.note(rejects, &step.run.journal);
    }
    if let (Some((key, mark)), Some(state)) = (mark, &step.run.state) {
        let text = serde_json::to_string(&mark);
        let text = text.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        state.keep_mark(&key, &text).await?;
    }
    step.scope.publish(set);
    Ok(())
}

/// How long, and how often, requests that were dropped are waited for.
const MOMENT: Duration = Duration::from_millis(5);
const MOMENTS: usize = 200;

/// Puts the rows that were rejected into their table though the step fails: why they were is there to be seen. Where they are
/// added to what is there, going on with the run would add them once more: it does so alone.
async fn keep_rejects(step: &StepContext, context: Arc<RequestContext>, error: &Error) -> Result<()> {
    let ends_all = matches!(
        error.kind(),
        ErrorKind::Cancelled | ErrorKind::State | ErrorKind::TakenBack | ErrorKind::Internal
    );
    if ends_all || context.rejects.is_none() {
        return Ok(());
    }
    // Requests that were dropped hold it a moment longer.
    for _ in 0..MOMENTS {
        if Arc::strong_count(&context) == 1 {
            break;
        }
        tokio::time::sleep(MOMENT).await;
    }
    let Some(context) = Arc::into_inner(context) else {
        return Ok(());
    };
    let goes_on = step.step.on_error == OnError::Continue;
    let Some(rejects) = context
        .rejects
        .as_ref()
        .filter(|rejects| rejects.count.load(Ordering::Relaxed) > 0 && (goes_on || !rejects.adds))
    else {
        return Ok(());
    };
    let target = rejects.target.clone();
    context.sink.commit_apart().await?;
    if goes_on {
        step.run.reject_tables.note(&target, &step.run.journal);
    }
    Ok(())
}

/// # Errors
/// Rows that may have been sent by an earlier attempt, and must not be sent twice: they are listed.
async fn not_in_doubt(step: &StepContext, context: &RequestContext) -> Result<()> {
    let doubts = match &context.checkpoint {
        Some(checkpoint) => checkpoint.doubts(),
        None => Vec::new(),
    };
    if let Some(state) = &step.run.state {
        state
            .note_doubts(step.run.id, &step.scope.key(step.id()), &doubts)
            .await?;
    }
    if doubts.is_empty() {
        return Ok(());
    }
    let rows = match doubts.len() {
        1 => "1 row may have been sent".to_string(),
        n => format!("{n} rows may have been sent"),
    };
    let message = format!("{rows} when the run ended before, and must not be sent twice");
    let (flow, run) = (&step.run.plan.flow, step.run.id);
    let goes_on = match step.step.on_error {
        // To the flow the step is over.
        OnError::Continue => "--retry-failed",
        _ => "--resume",
    };
    Err(Error::new(ErrorKind::InDoubt, message).help(format!(
        "sequor show {run} lists them; look at the API, and then: sequor run {flow} {goes_on} --in-doubt send (they are sent again) or --in-doubt skip (they count as sent). An `idempotency_key` avoids it"
    )))
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

/// Tells whether a rule rejects some rows of a batch alone.
fn names_rows(http: &HttpStep) -> bool {
    http.request.response.rules.iter().any(|rule| rule.rows.is_some())
}
