//! Every property of the language's shapes as Python and as Jinja: a flow or a source with it compiles, or a reason says why it
//! must be plain.

use std::collections::BTreeSet;
use std::sync::Arc;

use sequor_planner::ops::OPERATIONS;
use sequor_planner::syntax::{Form, Key, SOURCES, Shape};
use sequor_planner::{File, ProjectFiles, Severity, compile};
use serde_json::{Map, Value as Json, json};

/// Properties that are plain, by the end of their path, and why.
const PLAIN: &[(&str, &str)] = &[
    ("op", "it says which other keys there are"),
    ("type", "it says which other keys there are"),
    ("id", "ids are what steps are told apart by before anything runs"),
    ("title", "it is for people, and text as it stands"),
    ("description", "it is for people, and text as it stands"),
    ("depends_on", "it is the order of the plan itself"),
    ("after", "it is the order of the plan itself"),
    ("enabled", "the plan shows what will run"),
    ("on_error", "it decides what the plan holds back"),
    ("steps", "steps are the plan"),
    ("then", "steps are the plan"),
    ("else", "steps are the plan"),
    ("catch", "steps are the plan"),
    ("finally", "steps are the plan"),
    ("conditions", "steps are the plan; each condition may be computed"),
    ("primary_key", "names of columns, checked before anything runs"),
    ("data_path", "a path, read when planning"),
    ("total_pages_path", "a path, read when planning"),
    ("total_path", "a path, read when planning"),
    ("cursor_path", "a path, read when planning"),
    ("next_path", "a path, read when planning"),
    ("rows_path", "a path, read when planning"),
    ("token_path", "a path, read when planning"),
    ("expires_in_path", "a path, read when planning"),
    ("login", "its parts may be computed"),
    ("csv", "its parts may be computed"),
    (
        "header",
        "names of columns, and which lines are rows: the plan's own",
    ),
    (
        "cursor_header",
        "a place in the response, as `cursor_path` is; `cursor_expression` computes",
    ),
    ("has_more_path", "a path, read when planning"),
    (
        "allowed_hosts",
        "what may be reached is known before anything runs",
    ),
    ("for_each", "its parts may be computed"),
    ("flatten", "its parts may be computed"),
    ("separator", "a part of the names of columns: the plan's own"),
    ("request", "its parts may be computed"),
    ("retry", "its parts may be computed"),
    ("backoff", "its parts may be computed"),
    ("rate_limit", "its parts may be computed"),
    ("pagination", "its parts may be computed"),
    ("incremental", "its parts may be computed"),
    ("incremental/cursor", "a path, read when planning"),
    ("partition", "names of columns, checked before anything runs"),
    ("changes", "its parts may be computed"),
    ("changes/key", "names of columns, checked before anything runs"),
    (
        "changes/columns",
        "names of columns, checked before anything runs",
    ),
    ("keep_response", "a path, read when planning"),
    ("snapshot", "its parts may be computed"),
    ("auth", "its parts may be computed"),
    ("tls", "its parts may be computed"),
    ("rules", "their parts may be computed"),
];

/// What can't go together, as it is told.
const APART: &[&str] = &["`incremental` needs `response.tables`"];

/// Properties that Jinja, which gives text, can't give: maps and lists.
const NO_TEXT: &[&str] = &[
    "mock",
    "set",
    "variables",
    "init",
    "response",
    "parameters",
    "path_parameters",
    "extra_parameters",
    "claims",
    "headers",
    "columns",
    "model",
    "tables",
    "parser",
    "options",
];

/// In sources only text can be computed: what they are is known before anything runs.
fn plain_in_sources(form: Form) -> bool {
    !matches!(
        form,
        Form::Text | Form::Value | Form::Entries | Form::Variables | Form::Map(_)
    )
}

/// Steps that have every key of their operation between them.
pub fn examples() -> Vec<(&'static str, Json)> {
    let request = json!({
        "op": "http_request", "id": "a", "title": "t", "description": "d", "enabled": true, "on_error": "stop", "depends_on": [], "after": [],
        "init": {"variables": {"p": 1}},
        "for_each": {"source": "db", "database": "d", "namespace": "n", "table": "t", "as": "row", "batch_size": 5},
        "request": {
            "source": "shop", "url": "/x", "method": "POST", "path_parameters": {"x": "1"}, "parameters": {"a": 1}, "headers": {"b": "c"}, "body_format": "json",
            "body": {"x": 1}, "safe": false, "idempotency_key": "k", "timeout": 5, "total_timeout": 9, "concurrency": 2,
            "rate_limit": {"requests": 5, "per": "2s", "burst": 2},
            "retry": {"max_attempts": 2, "max_wait": 9, "max_elapsed": 9, "statuses": [503], "on": ["timeout"], "non_idempotent": true,
                "backoff": {"type": "linear", "initial": 1, "max": 2, "jitter": false}},
        },
        "response": {
            "success_status": [200], "source": "db", "database": "d", "namespace": "n", "table": "t", "format": "json",
            "compression": "gzip", "encoding": "latin-1", "invalid_text": "strip",
            "csv": {"delimiter": ";", "quote": "'", "escape": "\\", "header": ["a"], "skip_rows": 1},
            "rules": [{"status": [404], "when": "true", "action": "fail", "message": "m"}, {"status": [207], "action": "reject", "rows_expression": "[0]"}],
            "tables": [{"source": "other", "database": "d2", "namespace": "n2", "table": "t2", "columns": {"id": "text"}, "data": [],
                "write_mode": "append", "schema": "discard"}],
            "variables": {"v": 1}, "while": "false",
        },
    });
    let mut parts = vec![("http_request", request)];
    let paging = |pagination: Json| {
        json!({"op": "http_request", "request": {"source": "shop", "url": "/x", "method": "POST", "body": {}, "pagination": pagination},
            "response": {"tables": [{"source": "db", "table": "t", "data_path": "rows", "model": {"columns": {"id": "text"}},
                "write_mode": "upsert", "primary_key": ["id"]}]}})
    };
    for kind in [
        json!({"type": "page_number", "max_pages": 3, "rows_path": "rows", "has_more_path": "more", "stop_status": [404], "in": "body", "inject_on_first_request": false, "param": "p", "start": 2, "size": 5, "size_param": "s", "stop_on": "short_page", "total_pages_path": "n"}),
        json!({"type": "offset", "max_pages": 3, "rows_path": "rows", "has_more_path": "more", "stop_status": [404], "in": "body", "inject_on_first_request": false, "param": "p", "start": 5, "size": 5, "size_param": "s", "stop_on": "short_page", "total_path": "n"}),
        json!({"type": "cursor", "max_pages": 3, "rows_path": "rows", "has_more_path": "more", "stop_status": [404], "in": "body", "inject_on_first_request": false, "param": "p", "cursor_path": "next"}),
        json!({"type": "cursor", "cursor_header": "x-next"}),
        json!({"type": "cursor", "cursor_expression": "response.headers.get('x')"}),
        json!({"type": "json_link", "max_pages": 3, "rows_path": "rows", "has_more_path": "more", "stop_status": [404], "next_path": "next"}),
        json!({"type": "header_link", "max_pages": 3, "rows_path": "rows", "has_more_path": "more", "stop_status": [404]}),
        json!({"type": "single_page"}),
        json!({"type": "auto", "max_pages": 3, "rows_path": "rows", "has_more_path": "more", "stop_status": [404]}),
    ] {
        parts.push(("http_request", paging(kind)));
    }
    parts.push(("http_request", json!({"op": "http_request", "id": "new", "for_each": {"source": "db", "table": "t", "as": "row"},
        "request": {"source": "shop", "url": "/x", "incremental": {"cursor": "at", "initial": "2024-01-01", "start_param": "since", "end_param": "until", "format": "unix", "lookback": "1h", "delay": 60, "window": "1d", "order": "ascending", "on_missing": "fail", "partition": ["id"], "changed_parents": true, "table": "u"}},
        "response": {"tables": [{"source": "db", "table": "u", "data_path": "a", "columns": {"id": "text", "at": "timestamp"}, "write_mode": "upsert", "primary_key": ["id"]}]}})));
    parts.push((
        "http_request",
        json!({"op": "http_request", "id": "c",
            "for_each": {"source": "db", "table": "t", "as": "row", "changes": {"key": ["id"], "rows": ["added", "removed"], "columns": ["name"], "max_removed": "5%", "baseline": true,
                "keep_response": "id", "snapshot": {"source": "other", "database": "d", "namespace": "n", "table": "s"}}},
            "request": {"source": "shop", "url": "/x", "method": "PUT", "parameters": {"gone": "{{ var('change') }}"}, "body": {"gone": "{{ var('change') }}"}}}),
    ));
    parts.push(("http_request", json!({"op": "http_request", "id": "push", "timeout": 60, "checkpoint": false, "max_rejects": "5%", "on_error": "reject",
        "mock": {"status": 201, "headers": {"a": "b"}, "json": {"id": 1}},
        "for_each": {"source": "db", "table": "t", "as": "row"}, "request": {"source": "shop", "url": "/x", "method": "POST", "idempotent": true}})));
    parts.push(("http_request", json!({"op": "http_request", "request": {"source": "shop", "url": "/x", "conditional": false},
        "response": {"tables": [{"source": "db", "table": "t", "columns": {"id": "text"}}], "parser_expression": "{'tables': {'t': []}}"}})));
    parts.push(("http_request", json!({"op": "http_request", "request": {"source": "shop", "url": "/x"},
        "response": {"tables": [{"source": "db", "table": "t", "columns": {"id": "text"}, "data_path": "a", "where_expression": "row['id'] > 1"}]}})));
    parts.push(("http_request", json!({"op": "http_request", "for_each": {"values": [1], "as": "row"}, "request": {"source": "shop", "url": "/x"},
        "response": {"tables": [{"source": "db", "table": "t", "data_path": "a", "names": "snake_case", "flatten": {"separator": ".", "max_depth": 1}}]}})));
    parts.push((
        "for_each",
        json!({"op": "for_each", "source": "db", "query": "select 1", "as": "row", "steps": []}),
    ));
    parts.push((
        "for_each",
        json!({"op": "for_each", "values": [1], "as": "row", "steps": []}),
    ));
    let table = |prefix: &str| {
        let mut map = Map::new();
        for (key, value) in [
            ("source", "db"),
            ("database", "d"),
            ("namespace", "n"),
            ("table", "t"),
        ] {
            map.insert(format!("{prefix}{key}"), value.into());
        }
        map
    };
    let mut transform = json!({"op": "transform", "source": "db", "query": "select 1 as id", "write_mode": "append", "engine": "local", "incremental": {"cursor": "id", "initial": "2024-01-01", "lookback": "1h"}});
    let mut migrate = json!({"op": "migrate_schema"});
    let mut each = json!({"op": "for_each", "as": "row", "steps": [{"op": "print", "message": "x"}]});
    extend(
        &mut transform,
        table("target_").into_iter().filter(|(k, _)| k != "target_source"),
    );
    extend(
        &mut migrate,
        table("target_").into_iter().chain(table("columns_")),
    );
    extend(&mut each, table("").into_iter());
    parts.push(("transform", transform));
    parts.push(("transform", json!({"op": "transform", "source": "db", "query": "select 1 as id", "target_table": "t", "write_mode": "upsert", "primary_key": ["id"]})));
    parts.push((
        "execute",
        json!({"op": "execute", "source": "db", "statement": "select 1"}),
    ));
    parts.push(("migrate_schema", migrate));
    parts.push(("set_variable", json!({"op": "set_variable", "set": {"a": 1}})));
    parts.push(("print", json!({"op": "print", "message": "x"})));
    parts.push(("if", json!({"op": "if", "conditions": [{"condition": "true", "then": [{"op": "print", "message": "x"}]}], "else": [{"op": "print", "message": "x"}]})));
    parts.push(("for_each", each));
    parts.push(("while", json!({"op": "while", "condition": "{{ var('a') }}", "steps": [{"op": "set_variable", "set": {"a": 1}}], "max_iterations": 3})));
    parts.push((
        "try",
        json!({"op": "try", "steps": [], "catch": [], "finally": [{"op": "print", "message": "x"}]}),
    ));
    parts.push(("block", json!({"op": "block", "steps": []})));
    parts.push((
        "run_flow",
        json!({"op": "run_flow", "flow": "sub", "parameters": {"a": 1}, "start_step": 1}),
    ));
    parts
}

fn extend(json: &mut Json, entries: impl Iterator<Item = (String, Json)>) {
    if let Json::Object(map) = json {
        map.extend(entries);
    }
}

/// Sources that have every key of their type between them.
pub fn sources() -> Vec<(&'static str, Json)> {
    let http = |auth: Json| {
        json!({"type": "http", "base_url": "https://x.example", "variables": {"a": 1}, "headers": {"b": "c"}, "auth": auth, "timeout": 5, "total_timeout": 9,
            "concurrency": 2, "rate_limit": {"requests": 5, "per": "2s", "burst": 2},
            "retry": {"max_attempts": 2, "max_wait": 9, "max_elapsed": 9, "statuses": [503], "on": ["timeout"], "non_idempotent": true,
                "backoff": {"type": "linear", "initial": 1, "max": 2, "jitter": false}},
            "cookies": true, "allowed_hosts": ["x.example"], "max_response_size": "5MB",
            "tls": {"ca_cert": "a.pem", "client_cert": "b.pem", "client_key": "c.pem"}})
    };
    let mut all = Vec::new();
    for auth in [
        json!({"type": "basic_auth", "username": "u", "password": "p"}),
        json!({"type": "bearer_token", "token": "t"}),
        json!({"type": "api_key", "key_name": "k", "key_value": "v", "add_to": "query"}),
        json!({"type": "digest_auth", "username": "u", "password": "p"}),
        json!({"type": "oauth2", "grant_type": "password", "token_endpoint": "https://x/t", "client_id": "c", "client_secret": "s", "username": "u", "password": "p", "scope": "s",
            "client_auth": "basic", "audience": "a", "resource": "r", "extra_parameters": {"x": "y"}, "token_path": "data.token"}),
        json!({"type": "session_token", "login": {"url": "/login", "method": "PUT", "headers": {"a": "b"}, "body": {"user": "u"}}, "token_path": "id",
            "expires_in": 60, "expires_in_path": "ttl", "add_to": "query", "key_name": "k", "prefix": "p "}),
        json!({"type": "oauth2", "grant_type": "refresh_token", "token_endpoint": "https://x/t", "client_id": "c", "refresh_token": "r"}),
        json!({"type": "oauth2", "grant_type": "jwt_bearer", "token_endpoint": "https://x/t", "algorithm": "RS256", "key": "k",
            "claims": {"iss": "a"}, "headers": {"kid": "b"}, "expires_in": 60}),
        json!({"type": "oauth2", "grant_type": "jwt_bearer", "token_endpoint": "https://x/t", "algorithm": "RS256", "key_path": "k"}),
        json!({"type": "jwt", "algorithm": "RS256", "key": "k", "claims": {"iss": "a"}, "headers": {"kid": "b"}, "expires_in": 60}),
        json!({"type": "jwt", "algorithm": "ES256", "key_path": "k"}),
        json!({"type": "oauth1", "consumer_key": "a", "consumer_secret": "b", "token": "c", "token_secret": "d", "signature_method": "HMAC-SHA256", "realm": "r"}),
        json!({"type": "aws_sigv4", "access_key_id": "a", "secret_access_key": "b", "session_token": "c", "region": "r", "service": "s"}),
    ] {
        all.push(("http", http(auth)));
    }
    for server in ["postgres", "mysql"] {
        all.push((
            server,
            json!({"type": server, "conn_str": "postgresql://h/d", "username": "u", "password": "p"}),
        ));
    }
    all.push(("sqlite", json!({"type": "sqlite", "conn_str": "sqlite:///x.db"})));
    all.push((
        "duckdb",
        json!({"type": "duckdb", "conn_str": "duckdb:///x.db", "driver": "libduckdb.so"}),
    ));
    for credential in [
        json!({"password": "p"}),
        json!({"private_key_path": "k.pem", "private_key_passphrase": "p"}),
        json!({"token": "t"}),
    ] {
        let mut source = json!({"type": "snowflake", "account": "a", "user": "u", "warehouse": "w", "role": "r", "database": "d",
            "schema": "s", "host": "h", "port": "1", "protocol": "https", "driver": "x.so"});
        if let Json::Object(more) = credential {
            extend(&mut source, more.into_iter());
        }
        all.push(("snowflake", source));
    }
    all.push((
        "adbc",
        json!({"type": "adbc", "driver": "d", "entrypoint": "e", "options": {"a": "b"}}),
    ));
    all.push(("staging", json!({"type": "staging"})));
    for (_, source) in all.iter_mut().filter(|(kind, _)| *kind != "http") {
        source["identifiers"] = "quoted".into();
    }
    all
}

/// Calls `f` with every key of an example that its shape has, and where it stands.
pub fn walk(shape: &'static Shape, json: &Json, path: &str, f: &mut impl FnMut(&'static Key, &str)) {
    let Json::Object(map) = json else { return };
    for key in shape.all() {
        let name = match key.form {
            Form::Code => format!("{}_expression", key.name),
            _ => key.name.to_string(),
        };
        let Some(value) = map.get(&name) else { continue };
        let here = format!("{path}/{name}");
        f(key, &here);
        match (key.form, value) {
            (Form::Map(inner), _) => walk(inner, value, &here, f),
            (Form::List(inner), Json::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    walk(inner, item, &format!("{here}/{at}"), f);
                }
            }
            (Form::OneOf(kinds), _) => {
                let found = kinds.iter().find(|(name, _)| value["type"] == **name);
                found
                    .into_iter()
                    .for_each(|(_, inner)| walk(inner, value, &here, f));
            }
            _ => {}
        }
    }
}

/// Every key of a shape, those inside too, by the shape it belongs to.
fn keys(shape: &'static Shape, all: &mut BTreeSet<(&'static str, &'static str)>) {
    for key in shape.all() {
        if !all.insert((shape.what, key.name)) {
            continue;
        }
        match key.form {
            Form::Map(inner) | Form::List(inner) => keys(inner, all),
            Form::OneOf(kinds) => kinds.iter().for_each(|(_, inner)| keys(inner, all)),
            _ => {}
        }
    }
}

/// The example with one of its values as Python, or as Jinja.
fn with(example: &Json, path: &str, python: bool) -> Option<Json> {
    let mut changed = example.clone();
    let (around, name) = path.rsplit_once('/')?;
    let map = changed.pointer_mut(around)?.as_object_mut()?;
    let value = map.get(name)?.clone();
    if python {
        map.remove(name);
        let name = name.strip_suffix("_expression").unwrap_or(name);
        map.insert(format!("{name}_expression"), "var('computed')".into());
    } else {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        map.insert(
            name.into(),
            format!(
                "{{{{ var('computed') }}}}{}",
                if text.is_empty() { "x" } else { "" }
            )
            .into(),
        );
    }
    Some(changed)
}

/// The errors of a flow of one step, or of a flow that uses a source.
fn errors(step: &Json, source: Option<&Json>) -> Vec<String> {
    plan(step, source).1
}

/// The plan of a flow of one step, or of a flow that uses a source, as JSON, and the errors.
pub fn plan(step: &Json, source: Option<&Json>) -> (Option<Json>, Vec<String>) {
    let file = |path: &str, json: &Json| File {
        path: Arc::from(path),
        text: json.to_string(),
    };
    let mut files = ProjectFiles {
        project: Some(file("project.yaml", &json!({"name": "walk"}))),
        ..ProjectFiles::default()
    };
    files
        .flows
        .insert("main".into(), file("flows/main.yaml", &json!({"steps": [step]})));
    files.flows.insert(
        "sub".into(),
        file(
            "flows/sub.yaml",
            &json!({"steps": [{"op": "print", "message": "x"}, {"op": "print", "message": "y"}]}),
        ),
    );
    files
        .sources
        .insert("db".into(), file("sources/db.yaml", &json!({"type": "staging"})));
    files.sources.insert(
        "other".into(),
        file("sources/other.yaml", &json!({"type": "staging"})),
    );
    let shop = json!({"type": "http", "base_url": "https://x.example"});
    files
        .sources
        .insert("shop".into(), file("sources/shop.yaml", &shop));
    if let Some(source) = source {
        files
            .sources
            .insert("own".into(), file("sources/own.yaml", source));
    }
    let known = BTreeSet::from(["computed".to_string(), "a".to_string()]);
    let (compiled, found) = compile(&files, "main", &known);
    if let Some((_, plan)) = &compiled {
        super::reads_back(plan);
    }
    let errors = found.iter().filter(|d| d.severity == Severity::Error);
    let plan = compiled.map(|(_, plan)| serde_json::to_value(plan).unwrap());
    (plan, errors.map(|d| d.message.clone()).collect())
}

fn check(
    key: &Key,
    path: &str,
    in_source: bool,
    errors: &dyn Fn(bool) -> Option<Vec<String>>,
    wrong: &mut Vec<String>,
) {
    let word = matches!(key.form, Form::Choice(_));
    let plain = (PLAIN.iter().any(|(end, _)| path.ends_with(&format!("/{end}")))
        && (!word || key.name == "on_error"))
        || (in_source && plain_in_sources(key.form));
    for python in [true, false] {
        if !python && (NO_TEXT.contains(&key.name) || matches!(key.form, Form::Code)) {
            continue;
        }
        let Some(found) = errors(python) else { continue };
        let form = if python { "Python" } else { "Jinja" };
        // Text for people takes a template as text.
        let as_text = !python && matches!(key.form, Form::Label | Form::Id);
        match (plain && !as_text, found.first()) {
            (false, Some(error)) if APART.iter().any(|apart| error.starts_with(apart)) => {}
            (false, Some(error)) => wrong.push(format!("{path} by {form}: {error}")),
            (true, None)
                if !python
                    && matches!(key.form, Form::Ids | Form::Path | Form::JsonPath | Form::Statuses) => {}
            (true, None) => wrong.push(format!("{path} by {form} is taken, and listed as plain")),
            _ => {}
        }
    }
}

#[test]
fn every_property_may_be_computed_or_has_a_reason() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (op, example) in examples() {
        let shape = OPERATIONS.iter().find(|(name, _)| *name == op).unwrap().1.shape;
        let known = errors(&example, None);
        assert!(known.is_empty(), "{example}: {known:?}");
        let mut found = Vec::new();
        walk(shape, &example, "", &mut |key, path| {
            found.push((key, path.to_string()))
        });
        for (key, path) in found {
            seen.insert(key.name);
            let tried = |python| with(&example, &path, python).map(|changed| errors(&changed, None));
            check(key, &format!("{op}{path}"), false, &tried, &mut wrong);
        }
    }
    let print = json!({"op": "http_request", "request": {"source": "own", "url": "https://x.example/"}});
    let query = json!({"op": "execute", "source": "own", "statement": "select 1"});
    for (kind, example) in sources() {
        let shape = SOURCES.iter().find(|(name, _)| *name == kind).unwrap().1;
        let step = if kind == "http" { &print } else { &query };
        let known = errors(step, Some(&example));
        assert!(known.is_empty(), "{example}: {known:?}");
        let mut found = Vec::new();
        walk(shape, &example, "", &mut |key, path| {
            found.push((key, path.to_string()))
        });
        for (key, path) in found {
            seen.insert(key.name);
            let tried = |python| with(&example, &path, python).map(|changed| errors(step, Some(&changed)));
            check(key, &format!("{kind}{path}"), true, &tried, &mut wrong);
        }
    }
    let mut all = BTreeSet::new();
    OPERATIONS
        .iter()
        .for_each(|(_, operation)| keys(operation.shape, &mut all));
    SOURCES.iter().for_each(|(_, shape)| keys(shape, &mut all));
    let missing = all.into_iter().filter(|(_, name)| !seen.contains(name));
    wrong.extend(missing.map(|(shape, name)| format!("no example has `{name}` of {shape}")));
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}
