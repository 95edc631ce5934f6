//! Rules between keys: what the readers of the keys check, said in JSON Schema.

use serde_json::{Value as Json, json};

use super::TEMPLATE;
use crate::syntax::{EXPRESSION, GRANTS, SNOWFLAKE_CREDENTIALS, Shape};

/// A key that is given, plainly or by Python, and not blank.
fn given(key: &str) -> Json {
    let python = format!("{key}{EXPRESSION}");
    let some = |key: &str| json!({"required": [key], "properties": {key: {"not": {"type": "null"}}}});
    json!({"anyOf": [some(key), some(&python)]})
}

/// Rules between keys that their shapes can't say.
pub fn beyond_keys(shape: &Shape) -> Vec<Json> {
    let both = |a: &str, b: &str| json!({"not": {"required": [a, b]}});
    let mut rules = Vec::new();
    if shape.key("model").is_some() {
        rules.extend([both("columns", "model"), both("columns_expression", "model")]);
    }
    if shape.key("body_format").is_some() {
        let when = |formats: &[&str], body: Json| {
            json!({
                "if": {"required": ["body_format"], "properties": {"body_format": {"enum": formats}}},
                "then": {"properties": {"body": body}},
            })
        };
        let form = json!({"anyOf": [
            {"type": ["object", "null"]},
            {"type": "string", "pattern": TEMPLATE},
        ]});
        rules.push(when(&["form_urlencoded", "multipart_form_data"], form));
        rules.push(when(
            &["text", "xml", "binary"],
            json!({"not": {"type": ["object", "array"]}}),
        ));
    }
    if shape.key("primary_key").is_some() {
        let upsert = json!({"required": ["write_mode"], "properties": {"write_mode": {"const": "upsert"}}});
        let key = json!({"required": ["primary_key"], "properties": {"primary_key": {"not": {"anyOf": [
            {"type": "null"},
            {"type": "array", "maxItems": 0},
        ]}}}});
        rules.push(json!({"if": upsert, "then": key, "else": {"not": {"required": ["primary_key"]}}}));
    }
    if shape.key("on_error").is_some() {
        let rejecting =
            json!({"required": ["on_error"], "properties": {"on_error": {"enum": ["reject", "split"]}}});
        match shape.key("request").is_some() {
            false => rules.push(json!({"not": rejecting})),
            // What is rejected are rows.
            true => {
                let by_rule = json!({"properties": {"rules": {"contains": {
                    "required": ["action"],
                    "properties": {"action": {"const": "reject"}},
                }}}, "required": ["rules"]});
                let by_rule = json!({"properties": {"response": by_rule}, "required": ["response"]});
                rules.push(json!({
                    "if": {"anyOf": [rejecting, by_rule]},
                    "then": {"required": ["for_each"], "properties": {"for_each": {"not": {"type": "null"}}}},
                }));
            }
        }
    }
    if shape.key("when").is_some() && shape.key("status").is_some() {
        rules.push(json!({"anyOf": [given("when"), given("status")]}));
    }
    if shape.key("when").is_some() {
        // Text that is no template is the same for every response.
        rules.push(json!({"properties": {"when": {"anyOf": [
            {"enum": [true, null]},
            {"type": "string", "pattern": TEMPLATE},
            {"type": "string", "pattern": "^[Tt][Rr][Uu][Ee]$"},
        ]}}}));
    }
    if shape.key("client_key").is_some() {
        let cert =
            json!({"anyOf": [{"required": ["client_cert"]}, {"required": ["client_cert_expression"]}]});
        for key in ["client_key", "client_key_expression"] {
            rules.push(json!({"if": {"required": [key]}, "then": cert}));
        }
    }
    if shape.key("data_path").is_some() {
        rules.extend([both("data", "data_path"), both("data_expression", "data_path")]);
    }
    if shape.key("token_secret").is_some() {
        for (one, other) in [("token", "token_secret"), ("token_secret", "token")] {
            let given = |key: &str| json!({"anyOf": [{"required": [key]}, {"required": [format!("{key}{EXPRESSION}")]}]});
            rules.push(json!({"if": given(one), "then": given(other)}));
        }
    }
    if shape.key("private_key_path").is_some() {
        let given = SNOWFLAKE_CREDENTIALS
            .map(|key| json!({"anyOf": [{"required": [key]}, {"required": [format!("{key}{EXPRESSION}")]}]}));
        rules.push(json!({"oneOf": given}));
    }
    if shape.key("grant_type").is_some() {
        for (grant, keys) in GRANTS {
            let needed = keys.iter().map(
                |key| json!({"anyOf": [{"required": [key]}, {"required": [format!("{key}{EXPRESSION}")]}]}),
            );
            rules.push(json!({
                "if": {"required": ["grant_type"], "properties": {"grant_type": {"const": grant}}},
                "then": {"allOf": needed.collect::<Vec<_>>()},
            }));
        }
    }
    if shape.key("values").is_some() && shape.key("as").is_some() {
        let one = given;
        let without = |keys: &[&str]| {
            let some: Vec<Json> = keys.iter().map(|key| one(key)).collect();
            json!({"not": {"anyOf": some}})
        };
        let list = json!({"properties": {"values": {"anyOf": [
            {"type": "array"},
            {"type": "string", "pattern": TEMPLATE},
        ]}}});
        rules.push(json!({"oneOf": [
            {"allOf": [one("table"), one("source")]},
            {"allOf": [one("query"), one("source"), without(&["database", "namespace"])]},
            {"allOf": [one("values"), without(&["source", "database", "namespace"]), list]},
        ]}));
    }
    if shape.key("algorithm").is_some() && shape.key("grant_type").is_none() {
        let one = given;
        rules.push(json!({"allOf": [{"required": ["algorithm"]}, {"oneOf": [one("key"), one("key_path")]}]}));
    }
    if shape.key("tables").is_some() {
        let given = |keys: &[&str]| {
            let any: Vec<Json> = keys.iter().map(|key| json!({"required": [key]})).collect();
            json!({"anyOf": any})
        };
        let tables = |items: Json| json!({"properties": {"tables": {"items": items}}});
        // What the response does not give, each table has to.
        for keys in [&["source"][..], &["table", "table_expression"]] {
            rules.push(json!({"anyOf": [given(keys), tables(given(keys))]}));
        }
        let data = given(&["data", "data_expression", "data_path"]);
        // Lines are rows by themselves.
        let lines = json!({"required": ["format"], "properties": {"format": {"enum": ["jsonl", "csv"]}}});
        rules.push(json!({
            "if": {"required": ["parser_expression"]},
            "then": tables(json!({"not": data})),
            "else": {"if": {"not": lines}, "then": tables(data)},
        }));
    }
    rules
}
