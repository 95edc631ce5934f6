//! Examples of keys: what flows, sources and tests of the pages and the example projects say for them.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

/// Longer ones are no help in a table.
const LONGEST: usize = 60;

/// What is said for keys, by the definition of the schema and the key: the shortest that says something.
pub struct Examples<'a> {
    definitions: &'a Map<String, Value>,
    found: HashMap<(String, String), String>,
}

/// For keys that neither the pages nor the example projects have: the definition, where it matters which, and what is said.
const MORE: &[(&str, &str)] = &[
    ("", "tests: [{name: refunds are left out, flow: orders}]"),
    ("", r#"no_rows: ["select * from stage.orders where total < 0"]"#),
    ("", "type: text"),
    ("", "key_path: keys/service_account.pem"),
    ("changes", "columns: [name, revenue]"),
    ("snapshot", "namespace: sync"),
    ("auth_of_type_oauth2", "expires_in: 1h"),
    ("auth_of_type_session_token", "expires_in: 20m"),
    ("auth_of_type_jwt", "expires_in: 5m"),
    ("", r#"username: "{{ env_var('CRM_USER') }}""#),
    ("", r#"password: "{{ env_var('CRM_PASSWORD') }}""#),
    ("", r#"refresh_token: "{{ env_var('CRM_REFRESH_TOKEN') }}""#),
    ("", "scope: orders.read customers.read"),
    ("", "resource: https://api.crm.example"),
    ("", "expires_in_path: data.expires_in"),
    ("", "method: PUT"),
    ("", "identifiers: quoted"),
    ("", "account: acme-europe"),
    ("", r#"user: "{{ env_var('SNOWFLAKE_USER') }}""#),
    ("", "private_key_path: keys/snowflake.p8"),
    (
        "",
        r#"private_key_passphrase: "{{ env_var('SNOWFLAKE_PASSPHRASE') }}""#,
    ),
    ("", r#"token: "{{ env_var('SNOWFLAKE_TOKEN') }}""#),
    ("", "warehouse: loading"),
    ("", "role: loader"),
    ("", "database: analytics"),
    ("", "schema: shop"),
    ("", "host: acme.privatelink.snowflakecomputing.com"),
    ("", "port: 443"),
    ("", "protocol: https"),
    (
        "snowflake_source",
        "driver: /opt/adbc/libadbc_driver_snowflake.so",
    ),
    ("duckdb_source", "driver: /opt/duckdb/libduckdb.so"),
    ("adbc_source", "driver: adbc_driver_postgresql"),
    ("mysql_source", "conn_str: mysql://db.example/shop"),
    ("sqlite_source", "conn_str: sqlite:///shop.db"),
    ("", "entrypoint: AdbcDriverInit"),
    ("", "description: Orders of all shops, once an hour."),
    ("", "title: Pull orders"),
    ("", "after: [orders]"),
    ("", "timeout: 10m"),
    ("", "total_timeout: 1h"),
    ("", "start: 1"),
    ("", "cursor_expression: response.json()['next'] or None"),
    ("", "encoding: latin-1"),
    ("", "parser_expression: to_tables(response)"),
    ("", r#"quote: "'""#),
    ("", r#"escape: "\\""#),
    ("", "rows_expression: response.json()['refused']"),
    ("", "where_expression: row['total'] > 0"),
    ("", "target_database: analytics"),
    ("", "target_namespace: shop"),
    ("", "columns_database: analytics"),
    ("", "columns_namespace: shop"),
    ("incremental", "table: orders"),
    ("", r#"conditions: [{condition: "{{ var('full') }}", steps: []}]"#),
];

impl<'a> Examples<'a> {
    /// Reads every file and block of YAML that is a file of a project.
    pub fn read(schema: &'a Value) -> Examples<'a> {
        let mut examples = Examples {
            definitions: schema["definitions"].as_object().unwrap(),
            found: HashMap::new(),
        };
        let mut texts: Vec<String> = Vec::new();
        for (_, page) in super::pages() {
            let blocks = super::blocks::blocks(&page).into_iter();
            texts.extend(blocks.filter(|b| b.kind.starts_with("yaml")).map(|b| b.text));
        }
        files(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"),
            &mut texts,
        );
        for text in texts {
            if let Ok(value) = serde_saphyr::from_str::<Value>(&text) {
                examples.walk(schema, &value, "");
            }
        }
        examples
    }

    /// What is said for a key: there, or where it means the same. A word of a list needs no flow to say it.
    pub fn of(&self, definition: &str, key: &str) -> Option<String> {
        let none = &Value::Null;
        let about = |definition: &str| match self.definitions.get(definition) {
            Some(definition) => &definition["properties"][key],
            None => none,
        };
        let meaning = &about(definition)["description"];
        let at = (definition.to_string(), key.to_string());
        let same = || {
            let same = self.found.iter();
            let same =
                same.filter(|((other, name), _)| name == key && about(other)["description"] == *meaning);
            same.map(|(_, example)| example).min()
        };
        let written = self.found.get(&at).or_else(same).cloned();
        let named = |(of, example): &&(&str, &str)| {
            let written = example.split(':').next().unwrap_or_default();
            (of.is_empty() || *of == definition)
                && written.trim_end_matches("_expression") == key.trim_end_matches("_expression")
        };
        let more = || MORE.iter().find(named).map(|(_, example)| (*example).to_string());
        let word = || {
            let words = words(about(definition));
            let left_out = meaning
                .as_str()?
                .split_once("Left out: ")
                .map_or("", |(_, rest)| rest);
            let other = words
                .iter()
                .find(|word| !left_out.starts_with(&format!("`{word}`")));
            other.map(|word| format!("{key}: {word}"))
        };
        written.or_else(word).or_else(more)
    }

    /// Notes what `value` says for the keys of a schema. `name`: the definition that it stands in.
    fn walk(&mut self, schema: &Value, value: &Value, name: &str) {
        if let Some(to) = schema["$ref"].as_str() {
            let to = to.trim_start_matches("#/definitions/");
            if let Some(definition) = self.definitions.get(to) {
                self.walk(definition, value, to);
            }
            return;
        }
        if let Some(condition) = schema.get("if") {
            let branch = match holds(condition, value) {
                true => "then",
                false => "else",
            };
            self.walk(&schema[branch], value, name);
        }
        for all in ["allOf", "anyOf", "oneOf"] {
            for part in schema[all].as_array().into_iter().flatten() {
                self.walk(part, value, name);
            }
        }
        match value {
            Value::Array(items) => items
                .iter()
                .for_each(|item| self.walk(&schema["items"], item, "")),
            Value::Object(entries) => {
                for (key, value) in entries {
                    if let Some(inner) = schema["properties"].get(key) {
                        self.note(name, key, value);
                        self.walk(inner, value, "");
                    } else if schema["additionalProperties"].is_object() {
                        self.walk(&schema["additionalProperties"], value, "");
                    }
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, definition: &str, key: &str, value: &Value) {
        let plain = key.strip_suffix("_expression");
        let text = format!("{key}: {}", inline(value, false));
        let empty = matches!(value, Value::Null) || value.as_str().is_some_and(|text| text.trim().is_empty());
        if text.len() > LONGEST || text.contains(['\n', '`', '|']) || empty {
            return;
        }
        // Where there is no plain one, the one in Python is better than none; by rows and letters, so that it stays the same.
        let rank = |text: &str| {
            (
                !text.starts_with(&format!("{}:", plain.unwrap_or(key))),
                text.len(),
                text.to_string(),
            )
        };
        let at = (definition.to_string(), plain.unwrap_or(key).to_string());
        match self.found.get(&at) {
            Some(known) if rank(known) <= rank(&text) => {}
            _ => {
                self.found.insert(at, text);
            }
        }
    }
}

/// The words of a choice.
fn words(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if schema["type"][0] == "boolean" {
        found.extend(["true".to_string(), "false".to_string()]);
    }
    let words = schema["enum"].as_array().into_iter().flatten();
    found.extend(words.filter_map(Value::as_str).map(str::to_string));
    let parts = schema["anyOf"].as_array().into_iter().flatten();
    found.extend(parts.flat_map(self::words));
    found
}

/// A value as YAML in one line. `inside`: of a map or a list in braces.
fn inline(value: &Value, inside: bool) -> String {
    match value {
        Value::Object(entries) => {
            let each = entries
                .iter()
                .map(|(key, value)| format!("{key}: {}", inline(value, true)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let each = items.iter().map(|item| inline(item, true));
            format!("[{}]", each.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => {
            let special = |c: char| "{}[],&*#?|-<>=!%@:\"'".contains(c);
            let marked = text.starts_with(special)
                || text.contains(": ")
                || text.contains(" #")
                || text.trim() != text;
            let cut = inside && text.contains(['{', '}', '[', ']', ',']);
            let same = || serde_saphyr::from_str::<Value>(text).is_ok_and(|read| read == *value);
            match !marked && !cut && same() {
                true => text.clone(),
                false => value.to_string(),
            }
        }
        other => other.to_string(),
    }
}

/// Whether a condition of the schema holds: of those words that its conditions have.
fn holds(condition: &Value, value: &Value) -> bool {
    let object = value.as_object();
    let kind = condition["type"]
        .as_str()
        .is_none_or(|kind| kind == "object" && object.is_some());
    let words = |name: &str| condition[name].as_array().cloned().unwrap_or_default();
    let has = |key: &Value| object.is_some_and(|o| o.contains_key(key.as_str().unwrap_or_default()));
    let properties = condition["properties"].as_object().into_iter().flatten();
    let known = condition["propertyNames"]["enum"].as_array();
    kind && words("required").iter().all(has)
        && properties.into_iter().all(|(key, wanted)| {
            let Some(given) = value.get(key) else { return true };
            wanted.get("const").is_none_or(|only| only == given)
                && wanted["enum"].as_array().is_none_or(|all| all.contains(given))
        })
        && known.is_none_or(|known| object.is_some_and(|o| o.keys().all(|k| known.iter().any(|n| n == k))))
        && (condition.get("anyOf").is_none() || words("anyOf").iter().any(|part| holds(part, value)))
        && condition.get("not").is_none_or(|part| !holds(part, value))
}

/// Texts of the files of YAML in a folder and those below it.
fn files(folder: &Path, texts: &mut Vec<String>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    paths.sort();
    for path in paths {
        match path.is_dir() {
            true => files(&path, texts),
            false if path.extension().is_some_and(|e| e == "yaml") => {
                texts.push(std::fs::read_to_string(&path).unwrap());
            }
            false => {}
        }
    }
}
