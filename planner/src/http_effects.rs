//! What an http_request reads and writes, and how its requests may follow each other.

use std::collections::BTreeSet;

use crate::effects::{Effects, FlowScope, Resource};
use crate::expr::{EachProp, Prop, Returned, Uses, has_template};
use crate::ops::{
    CHANGE, HttpRequest, KEPT_RESPONSE, TableDefaults, TableRef, VariableScope, VariableSet, WINDOW,
};
use crate::plan::{Asks, Estimates, FanOut, HttpStep, Synced};
use crate::syntax::{Concurrency, HttpSource};

/// Adds the request's effects to `effects` and decides its fan-out.
pub fn plan(
    request: &HttpRequest,
    source: Option<&HttpSource>,
    (rejects, snapshot): (Option<TableRef>, Option<TableRef>),
    scope: &FlowScope<'_>,
    effects: &mut Effects,
) -> HttpStep {
    // Names that the step itself defines: reading them reads nothing from outside.
    let mut bound = scope.bound.to_vec();
    bound.extend(request.for_each.iter().map(|rows| rows.variable.clone()));
    bound.extend(
        source
            .iter()
            .flat_map(|s| s.variables.iter().map(|v| v.name.clone())),
    );
    let outer = scope;
    for variable in &request.init {
        effects.read_uses(&variable.value.uses(), outer);
    }
    bound.extend(request.init.iter().map(|v| v.name.clone()));
    bound.extend(request.request.incremental.iter().map(|_| WINDOW.to_string()));
    if snapshot.is_some() {
        bound.extend([CHANGE, KEPT_RESPONSE].map(str::to_string));
    }
    let scope = &FlowScope {
        bound: &bound,
        ..*outer
    };

    let asked = request_uses(request, source);
    effects.read_uses(&asked, scope);
    if let Some(rows) = &request.for_each {
        rows.read(effects, outer);
    }
    let response = &request.response;
    let mut uses = Uses::default();
    let parts = [&response.success_status, &response.parser, &response.while_];
    parts.into_iter().flatten().for_each(|p| p.collect(&mut uses));
    response.variables.iter().for_each(|v| v.value.collect(&mut uses));
    response
        .tables
        .iter()
        .flat_map(|t| &t.data)
        .for_each(|p| p.collect(&mut uses));
    for table in &response.tables {
        table.columns.each_prop(&mut |prop| prop.collect(&mut uses));
    }
    // Rules say themselves what they make of a status.
    let any_status = (uses.status || response.whole) && response.success_status.is_none();
    for rule in &response.rules {
        rule.when
            .iter()
            .chain(&rule.rows)
            .for_each(|prop| prop.collect(&mut uses));
        rule.message.iter().for_each(|p| p.collect(&mut uses));
    }
    effects.read_uses(&uses, scope);
    for table in &response.tables {
        let target = table.target.resource(effects, scope);
        if request.request.incremental.is_some() {
            // How far it got is beside the table: what others do to that is done before.
            effects.reads.insert(target.clone());
        }
        effects.writes.insert(target);
    }
    if response.tables.is_empty()
        && let Some(parser) = &response.parser
    {
        write_returned(parser, &response.defaults, scope, effects);
    }
    if let Some(rejects) = &rejects {
        let target = rejects.resource(effects, outer);
        effects.writes.insert(target);
    }
    if let Some(snapshot) = &snapshot {
        let target = snapshot.resource(effects, outer);
        effects.reads.insert(target.clone());
        effects.writes.insert(target);
    }
    write_variables(request, outer, effects);
    let api = api(request);
    // Cookies of one step are for those behind it: they go in their order.
    let keeps_cookies = source.is_some_and(|source| source.cookies);
    match request.is_read() && !keeps_cookies {
        true => effects.reads.insert(api),
        false => effects.writes.insert(api),
    };

    let mut used = asked.clone();
    used.merge(&uses);
    request.mock.each_prop(&mut |prop| prop.collect(&mut used));
    // A whole row is kept of what is rejected, and nobody sees into the list that a batch is.
    let whole_rows = rejects.is_some() || request.for_each.as_ref().is_some_and(|r| r.batch_size.is_some());
    let row = request.for_each.as_ref().map(|rows| rows.variable.as_str());
    let row = row.filter(|_| !whole_rows);
    let paging = request.asks_again();
    let mut set = set_by_response(request);
    // What is changed in place is set, too.
    let of_rows = request.for_each.as_ref().map(|rows| &rows.variable);
    let changed = uses
        .changed
        .iter()
        .chain(&asked.changed)
        .filter(|name| Some(*name) != of_rows);
    set.iter_mut()
        .for_each(|set| set.extend(changed.clone().cloned()));
    let mut row_variables: Vec<String> = Vec::new();
    if paging {
        row_variables.extend(request.init.iter().map(|v| v.name.clone()));
        // What only responses read goes on from row to row.
        let of_row = |name: &&String| {
            !uses.changed.contains(*name)
                && (asked.variables.contains(*name) || !uses.variables.contains(*name))
        };
        row_variables.extend(set.iter().flatten().filter(of_row).cloned());
        row_variables.dedup();
    }
    let mut row_columns = row.and_then(|row| used.rows.of(row));
    if let (Some(columns), Some(incremental)) = (&mut row_columns, &request.request.incremental) {
        columns.extend(incremental.partition.iter().cloned());
        if incremental.changed_parents {
            columns.insert(incremental.cursor.clone());
        }
    }
    let synced = snapshot.map(|snapshot| Synced {
        columns: compared(request, &asked),
        snapshot,
    });
    if let Some(synced) = &synced {
        // What was sent is kept whole: a removed row has it.
        let key = request
            .changes()
            .into_iter()
            .flat_map(|changes| changes.key.iter().cloned());
        row_columns = match (row_columns, &synced.columns) {
            (Some(read), Some(compared)) => Some(
                read.into_iter()
                    .chain(compared.iter().cloned())
                    .chain(key)
                    .collect(),
            ),
            _ => None,
        };
    }
    HttpStep {
        request: request.clone(),
        synced,
        asks: asks(request, &asked, &used),
        pages_at_once: pages_at_once(request, source),
        fan_out: fan_out(request, source, &asked, &uses, set, paging),
        any_status,
        rejects,
        row_variables,
        row_columns,
        estimates: Estimates::default(),
    }
}

/// Returns the columns that are compared where only changed rows are sent; none: all.
fn compared(request: &HttpRequest, asked: &Uses) -> Option<BTreeSet<String>> {
    let rows = request.for_each.as_ref()?;
    match rows.changes.as_ref().map(|changes| changes.columns.as_slice()) {
        // Nobody sees into the list that a batch is.
        None | Some([]) if rows.batch_size.is_some() => None,
        None | Some([]) => asked.rows.of(&rows.variable),
        Some(named) => Some(named.iter().cloned().collect()),
    }
}

/// Returns which ends of its range an incremental request asks for, and whose state it keeps.
fn asks(request: &HttpRequest, asked: &Uses, used: &Uses) -> Option<Asks> {
    let incremental = request.request.incremental.as_ref()?;
    let of_window = asked.rows.of(WINDOW);
    let reads = |end: &str| {
        asked.variables.contains(WINDOW) && of_window.as_ref().is_none_or(|read| read.contains(end))
    };
    let row = request.for_each.as_ref().map(|rows| rows.variable.as_str());
    let partition = match (row, incremental.partition.as_slice()) {
        (None, _) => None,
        (Some(row), []) => asked.rows.of(row),
        (Some(_), named) => Some(named.iter().cloned().collect()),
    };
    Some(Asks {
        start: incremental.start_param.is_some() || reads("start"),
        end: incremental.end_param.is_some() || reads("end"),
        partition,
        reads: row.and_then(|row| used.rows.of(row)),
    })
}

/// Returns what evaluating the request uses.
pub fn request_uses(request: &HttpRequest, source: Option<&HttpSource>) -> Uses {
    let mut uses = source.map(HttpSource::uses).unwrap_or_default();
    request.request.each_prop(&mut |prop| prop.collect(&mut uses));
    uses
}

fn write_variables(request: &HttpRequest, scope: &FlowScope<'_>, effects: &mut Effects) {
    // `scope: local` in `init` means: this step only.
    let init = request.init.iter().filter(|v| v.scope == VariableScope::Project);
    let variables: Vec<&VariableSet> = init.chain(&request.response.variables).collect();
    effects
        .writes
        .extend(variables.into_iter().map(|v| v.target(scope)));
    let Some(parser) = &request.response.parser else {
        return;
    };
    match parser.returns().and_then(|r| r.variables.as_ref()) {
        Some(set) => effects.writes.extend(set.iter().map(|v| match v.local {
            true => Resource::Local {
                frame: scope.frame,
                name: v.name.clone(),
            },
            false => Resource::Variable(v.name.clone()),
        })),
        None => {
            effects.writes.insert(Resource::AnyVariable);
        }
    }
}

/// Tables that a parser fills without their being declared.
fn write_returned(parser: &Prop, defaults: &TableDefaults, scope: &FlowScope<'_>, effects: &mut Effects) {
    let Some(tables) = parser.returns().and_then(|r| r.tables.as_ref()) else {
        effects.writes.insert(Resource::AnySource);
        return;
    };
    for table in tables {
        let source = match &table.source {
            Returned::Literal(source) => Some(source.clone()),
            Returned::Left => defaults.source.clone(),
            Returned::Any => None,
        };
        let Some(source) = source else {
            effects.writes.insert(Resource::AnySource);
            continue;
        };
        let name = match &table.table {
            Returned::Literal(name) => Some(Prop::Literal(name.clone().into())),
            Returned::Left => defaults.table.clone(),
            Returned::Any => None,
        };
        if !has_template(&source) {
            effects.queried.insert(source.clone());
        }
        let target = match (name, parser) {
            (Some(table), Prop::Python { code, .. }) => {
                let target = TableRef {
                    source,
                    database: defaults.database.clone(),
                    namespace: defaults.namespace.clone(),
                    table,
                    place: code.place.clone(),
                };
                target.resource(effects, scope)
            }
            _ => match has_template(&source) {
                true => Resource::AnySource,
                false => Resource::Source(source),
            },
        };
        effects.writes.insert(target);
    }
}

/// Variables that the response sets; none: any.
pub fn set_by_response(request: &HttpRequest) -> Option<Vec<String>> {
    if request.response.variables.iter().any(|v| v.many) {
        return None;
    }
    let mut names: Vec<String> = request
        .response
        .variables
        .iter()
        .map(|v| v.name.clone())
        .collect();
    if let Some(parser) = &request.response.parser {
        let set = parser.returns()?.variables.as_ref()?;
        names.extend(set.iter().map(|v| v.name.clone()));
    }
    Some(names)
}

fn fan_out(
    request: &HttpRequest,
    source: Option<&HttpSource>,
    asked: &Uses,
    answered: &Uses,
    set: Option<Vec<String>>,
    paging: bool,
) -> FanOut {
    if request.for_each.is_none() {
        return FanOut::Single;
    }
    let row = request.for_each.as_ref().map(|r| r.variable.as_str());
    let sequential = |reason: String| FanOut::Sequential { reason };
    // What the response itself reads and sets, one row's response leaves to the next one's. With paging, what the request
    // reads belongs to the row.
    let own = |name: &String| paging && (asked.variables.contains(name) || is_init(request, name));
    let gathered = |name: &&String| answered.variables.contains(*name) && !own(name);
    if let Some(name) = set.iter().flatten().find(gathered) {
        return sequential(format!("the response reads variable {name}, which it sets"));
    }
    match set {
        // Paging keeps its variables for each row.
        Some(_) if paging => {}
        Some(set) if answered.any_variable && !set.is_empty() => {
            return sequential(
                "the response reads variables by names known only when it runs, and sets some".into(),
            );
        }
        None if !paging && {
            let reads =
                |uses: &Uses| uses.any_variable || uses.variables.iter().any(|v| Some(v.as_str()) != row);
            reads(asked) || reads(answered)
        } =>
        {
            return sequential("the parser may set variables that the step reads".into());
        }
        Some(set) if asked.any_variable && !set.is_empty() => {
            return sequential(
                "the request reads variables by names known only when it runs, and its response sets some"
                    .into(),
            );
        }
        Some(set) => {
            if let Some(name) = set.iter().find(|name| asked.variables.contains(*name)) {
                return sequential(format!(
                    "the request reads variable {name}, which its own response sets"
                ));
            }
        }
        None => {}
    }
    FanOut::Concurrent {
        concurrency: concurrency(request, source),
    }
}

fn is_init(request: &HttpRequest, name: &str) -> bool {
    request.init.iter().any(|v| v.name == name)
}

fn concurrency(request: &HttpRequest, source: Option<&HttpSource>) -> Concurrency {
    let own = request.request.concurrency;
    own.or(source.map(|s| s.concurrency)).unwrap_or_default()
}

/// How many pages may be asked for at the same time: when their count is told and no page depends on the one before.
fn pages_at_once(request: &HttpRequest, source: Option<&HttpSource>) -> Option<Concurrency> {
    let pagination = request.request.pagination.as_ref()?;
    // What a page sets is not for the pages behind it: the request is made once for all of them.
    let free = pagination.tells_count() && request.is_read();
    free.then(|| concurrency(request, source))
}

/// The API a request goes to: its source, else the host when the url shows it.
fn api(request: &HttpRequest) -> Resource {
    if let Some(source) = &request.request.source
        && !has_template(source)
    {
        return Resource::Api(source.clone());
    }
    let text = match &request.request.url {
        Prop::Literal(text) => text.as_str(),
        Prop::Jinja { code, .. } => Some(&*code.text),
        _ => None,
    };
    let host = text
        .and_then(|url| url.split_once("://"))
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    match host {
        Some(host) if !host.is_empty() && !host.contains('{') => Resource::Api(host.to_lowercase()),
        _ => Resource::AnyApi,
    }
}
