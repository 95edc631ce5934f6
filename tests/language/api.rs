//! The API of a case: rules that answer requests.

use std::sync::Mutex;

use serde_json::Value;

use crate::support::server::{Asked, Reply, Server, json};

struct Rule {
    rule: Value,
    left: u64,
}

/// Starts the API.
pub fn start(rules: &str) -> Server {
    let rules: Vec<Value> = match rules.trim() {
        "" => Vec::new(),
        text => serde_saphyr::from_str(text).expect("the rules of the api"),
    };
    let rules: Vec<Rule> = rules
        .into_iter()
        .map(|rule| Rule {
            left: rule["times"].as_u64().unwrap_or(u64::MAX),
            rule,
        })
        .collect();
    let rules = Mutex::new(rules);
    Server::start(move |asked| {
        let mut rules = rules.lock().expect("no panic");
        match rules.iter_mut().find(|r| r.left > 0 && matches(&r.rule, asked)) {
            Some(found) => {
                found.left -= 1;
                reply(&found.rule)
            }
            None => json(r#"{"error":"not found"}"#).status(404),
        }
    })
}

fn matches(rule: &Value, asked: &Asked) -> bool {
    let same = |key: &str, value: &str| rule[key].as_str().is_none_or(|wanted| wanted == value);
    let query = rule["query"].as_object().into_iter().flatten();
    let mut query = query.map(|(name, value)| {
        let wanted = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        asked.parameter(name) == Some(wanted)
    });
    same("method", &asked.method) && same("path", &asked.path) && query.all(|same| same)
}

fn reply(rule: &Value) -> Reply {
    let mut reply = match &rule["text"] {
        Value::String(text) => json(text.clone()),
        _ => json(rule["json"].to_string()),
    };
    reply.status = rule["status"].as_u64().map_or(200, |s| s as u16);
    if rule["text"].is_string() {
        reply.content_type = "text/plain";
    }
    if rule["json"].is_null()
        && !rule.as_object().is_some_and(|r| r.contains_key("json"))
        && rule["text"].is_null()
    {
        reply.body.clear();
    }
    for (name, value) in rule["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        reply.headers.push((name.clone(), value));
    }
    reply
}
