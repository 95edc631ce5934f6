//! Requests and parsers, shown instead of what they do: `--debug-httprequest-...`. An implementation of the operations of its own.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use sequor_planner::plan::{Action, HttpStep};
use serde_json::{Map, Value as Json};

use super::All;
use super::http_request::{self, Begun, Destination};
use crate::batch::builder::BatchBuilder;
use crate::batch::column::Column;
use crate::batch::spool::Spool;
use crate::batch::types::{BareDecimal, column_type};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::exec::context::StepContext;
use crate::exec::incremental::Sync;
use crate::exec::layer::Layer;
use crate::exec::request::ask::{Part, ask};
use crate::exec::request::checkpoint::Exchange;
use crate::exec::request::items;
use crate::exec::request::render::render;
use crate::exec::request::response;
use crate::exec::request::shown::{pretty, trace};
use crate::exec::run::Operations;
use crate::exec::scope::Scope;
use crate::http::Verdict;
use crate::value::{Row, Value};

/// What a run shows instead of doing it, or does with other rows.
#[derive(Default, Clone)]
pub struct Preview {
    /// Rows that take the place of those of a request's table.
    pub records: Option<Vec<Row>>,
    /// What is shown; none: requests are sent as usual.
    pub mode: Option<PreviewMode>,
}

/// What a preview shows. Nothing is written, and variables stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewMode {
    /// The request as it would go over the wire. It is not sent.
    Trace,
    /// The request in a form for people. It is not sent.
    Pretty,
    /// What the response's parser gives. The request is sent.
    Parser,
}

impl Operations for Preview {
    fn perform(&self, context: StepContext) -> BoxFuture<'static, Result<()>> {
        let Preview { records, mode } = self.clone();
        let step = context.step.clone();
        match (&step.action, mode) {
            (Action::Http(_), _) => Box::pin(async move {
                let Action::Http(http) = &step.action else {
                    return Ok(());
                };
                match mode {
                    Some(mode) => show(&context, http, records, mode).await,
                    None => http_request::run(&context, http, records).await,
                }
            }),
            _ => All.perform(context),
        }
    }
}

/// Shows the request of each record, or of the first row of the table; without `for_each` the one request.
async fn show(
    step: &StepContext,
    http: &HttpStep,
    records: Option<Vec<Row>>,
    mode: PreviewMode,
) -> Result<()> {
    let given = records.is_some();
    let keeps = Sync::begin(step, http, false)
        .await?
        .map(|sync| Arc::new(sync.round(0)));
    let begun = http_request::begin(step, http, Destination::Aside, records, (keeps, None)).await?;
    let Some(rows) = &http.request.for_each else {
        return match begun.context.windowed(begun.scope.clone(), 0, &Value::Null)? {
            Some(scope) => show_one(&begun, &scope, &begun.own, mode).await,
            None => Ok(()),
        };
    };
    let (table, items) = items::items(&begun.context, rows, &begun.scope).await?;
    // A look at one request is enough.
    let most = if given { usize::MAX } else { 1 };
    let mut items = items.take(most).enumerate();
    while let Some((at, item)) = items.next().await {
        let own = Layer::new(begun.init.clone());
        let item = item?;
        let value = item.value.clone();
        let scope = begun
            .context
            .changed(begun.scope.clone(), &item)
            .with(Layer::one(&rows.variable, value.clone()))
            .with(own.clone());
        let Some(scope) = begun.context.windowed(scope, at as u64, &value)? else {
            continue;
        };
        let shown = show_one(&begun, &scope, &own, mode).await;
        shown.map_err(|e| e.context(format!("row {} of `{table}` ({})", at + 1, rows.variable)))?;
    }
    Ok(())
}

async fn show_one(begun: &Begun, scope: &Scope, own: &Arc<Layer>, mode: PreviewMode) -> Result<()> {
    let context = &begun.context;
    let exchange = Exchange::default();
    let part = Part {
        exchange: &exchange,
        what: "",
        past_the_end: &[],
    };
    let mut request = render(context, scope, &exchange, part.what).await?;
    if mode != PreviewMode::Parser {
        if let Some(auth) = &context.auth {
            auth.stand_in(&mut request)?;
        }
        let text = match mode {
            PreviewMode::Pretty => pretty(&request),
            _ => trace(&request),
        };
        print(&context.step, &text).await;
        return Ok(());
    }
    let asked = ask(context, scope, &request, part).await;
    let (answer, verdict) = asked.map_err(|failure| failure.error)?;
    if verdict == Verdict::Skip {
        return Ok(());
    }
    let taken = response::take(context, scope, own, answer, 0).await?;
    let mut shown = Map::from_iter([("tables".to_string(), tables(begun)?)]);
    let variables = variables(begun, own);
    if !variables.is_empty() {
        shown.insert("variables".into(), Json::Object(variables));
    }
    if taken.again {
        shown.insert("while".into(), true.into());
    }
    print(&context.step, &Json::Object(shown).to_string()).await;
    Ok(())
}

/// The rows that the response gave, by table.
fn tables(begun: &Begun) -> Result<Json> {
    let tables = begun.context.sink.aside()?.into_iter();
    Ok(Json::Object(
        tables.map(|(name, rows)| (name, Json::Array(rows))).collect(),
    ))
}

/// The variables that the response set: those of the step first, then those that its parser names.
fn variables(begun: &Begun, own: &Layer) -> Map<String, Json> {
    let json = |value: &Value| serde_json::to_value(value).unwrap_or_default();
    let mut set = own.all();
    let declared = &begun.context.http.request.response.variables;
    let mut shown = Map::new();
    for variable in declared {
        let value = set.remove(&variable.name);
        shown.insert(
            variable.name.clone(),
            value.as_ref().map(json).unwrap_or_default(),
        );
    }
    let before: HashSet<&String> = begun.init.keys().collect();
    let mut rest: Vec<(String, Value)> = set
        .into_iter()
        .filter(|(name, _)| !before.contains(name))
        .collect();
    rest.sort_by(|(a, _), (b, _)| a.cmp(b));
    shown.extend(rest.iter().map(|(name, value)| (name.clone(), json(value))));
    shown
}

async fn print(step: &StepContext, text: &str) {
    let text = step.run.redactor.shown(text);
    step.emit(EventKind::Printed { text }).await;
}

/// Rows from the text of a JSON object, or of a list of them.
pub fn records(text: &str) -> Result<Vec<Row>> {
    let wrong = |what: String| {
        Error::new(ErrorKind::Project, format!("the test record {what}"))
            .help("give a JSON object: '{\"email\": \"test@example.com\"}'")
    };
    let json: Json = serde_json::from_str(text).map_err(|e| wrong(format!("is not valid JSON: {e}")))?;
    let objects = match json {
        Json::Array(items) => items,
        object => vec![object],
    };
    if objects.is_empty() || objects.iter().any(|o| o.as_object().is_some_and(Map::is_empty)) {
        return Err(wrong("has no columns".into()));
    }
    let mut spool = Spool::default();
    for object in &objects {
        if !object.is_object() {
            return Err(wrong("must be an object, or a list of objects".into()));
        }
        spool.push(object.to_string().as_bytes())?;
    }
    let columns = spool.columns().map(|(name, sql)| {
        Ok(Column {
            name: name.to_string(),
            column_type: column_type(sql, BareDecimal::Exact)?,
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let keys = columns.iter().map(|c| c.name.clone());
    let mut builder = BatchBuilder::new("test record", keys, &columns)?;
    let mut rows = Vec::with_capacity(objects.len());
    let mut replay = spool.replay()?;
    loop {
        let more = replay.fill(&mut builder)?;
        if let Some(batch) = builder.take()? {
            let batch = Arc::new(batch);
            rows.extend((0..batch.num_rows()).map(|at| Row::new(batch.clone(), at)));
        }
        if !more {
            return Ok(rows);
        }
    }
}
