//! The JSON Schema of the project's files (draft 7, which editors know), made from the shapes that read them.

mod rules;

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use crate::ops::{COLUMN, COLUMN_OPTIONS, COLUMN_TYPE, OPERATIONS, VARIABLE};
use crate::syntax::{DEFAULT_ENV, ENVIRONMENT, EXPRESSION, FLOW, Form, Key, PROJECT, SOURCES, Shape};
use crate::testing::TEST_FILE;
use rules::beyond_keys;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOf {
    /// Whichever of the others it is.
    Any,
    Flow,
    Source,
    Project,
    /// `env.yaml`.
    DefaultEnv,
    /// `envs/<env>.yaml`.
    Environment,
    /// `tests/<name>.yaml`.
    Tests,
}

/// Returns the JSON Schema of a kind of file.
pub fn schema(of: SchemaOf) -> Json {
    let mut definitions = Definitions::default();
    let root = match of {
        SchemaOf::Flow => flow(&mut definitions),
        SchemaOf::Source => tagged(SOURCES, &mut definitions),
        SchemaOf::Project => definitions.shape(&PROJECT),
        SchemaOf::DefaultEnv => definitions.shape(&DEFAULT_ENV),
        SchemaOf::Environment => definitions.shape(&ENVIRONMENT),
        SchemaOf::Tests => definitions.shape(&TEST_FILE),
        SchemaOf::Any => any(&mut definitions),
    };
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sequor",
    });
    if let (Json::Object(schema), Json::Object(root)) = (&mut schema, root) {
        schema.extend(root);
        schema.insert("definitions".into(), Json::Object(definitions.parts));
    }
    schema
}

fn flow(definitions: &mut Definitions) -> Json {
    let long = definitions.shape(&FLOW);
    let steps = definitions.steps();
    json!({"if": {"type": "object"}, "then": long, "else": steps})
}

/// One schema for all files: each is told by a key that only it has.
fn any(definitions: &mut Definitions) -> Json {
    let has = |key: &str| json!({"type": "object", "required": [key]});
    let kinds = [
        (has("tests"), definitions.shape(&TEST_FILE)),
        (has("type"), tagged(SOURCES, definitions)),
        (has("name"), definitions.shape(&PROJECT)),
        (has("env"), definitions.shape(&DEFAULT_ENV)),
        (has("variables"), definitions.shape(&ENVIRONMENT)),
    ];
    let last = flow(definitions);
    kinds.into_iter().rev().fold(
        last,
        |otherwise, (is, then)| json!({"if": is, "then": then, "else": otherwise}),
    )
}

/// A map whose `type` says which of several shapes it has.
fn tagged(shapes: &[(&'static str, &'static Shape)], definitions: &mut Definitions) -> Json {
    cases(
        "type",
        shapes.iter().map(|(name, shape)| (*name, *shape)),
        definitions,
    )
}

/// A map whose key `tag` says which of several shapes it has.
fn cases(
    tag: &str,
    shapes: impl Iterator<Item = (&'static str, &'static Shape)>,
    definitions: &mut Definitions,
) -> Json {
    let mut names = Vec::new();
    let mut all = Vec::new();
    for (name, shape) in shapes {
        names.push(json!({"const": name, "description": shape.doc}));
        let then = definitions.shape(shape);
        all.push(json!({
            "if": {"required": [tag], "properties": {tag: {"const": name}}},
            "then": then,
        }));
    }
    json!({
        "type": "object",
        "required": [tag],
        "properties": {tag: {"oneOf": names}},
        "allOf": all,
    })
}

/// Named parts of the schema, each once.
#[derive(Default)]
struct Definitions {
    parts: Map<String, Json>,
    /// The names of shapes, by their addresses: two may be called alike.
    shapes: HashMap<*const Shape, String>,
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/definitions/{name}")})
}

impl Definitions {
    /// Defines a part, which may refer to itself.
    fn define(&mut self, name: &str, make: impl FnOnce(&mut Definitions) -> Json) -> Json {
        if !self.parts.contains_key(name) {
            self.parts.insert(name.to_string(), Json::Null);
            let made = make(self);
            self.parts.insert(name.to_string(), made);
        }
        reference(name)
    }

    fn steps(&mut self) -> Json {
        self.define("steps", |definitions| {
            let step = definitions.define("step", |definitions| {
                let shapes = OPERATIONS
                    .iter()
                    .map(|(name, operation)| (*name, operation.shape));
                cases("op", shapes, definitions)
            });
            json!({"type": ["array", "null"], "items": step})
        })
    }

    fn shape(&mut self, shape: &'static Shape) -> Json {
        let name: Vec<&str> = shape
            .what
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_')
            .filter(|word| !word.is_empty() && !matches!(*word, "a" | "an"))
            .collect();
        let mut name = name.join("_");
        match self.shapes.get(&std::ptr::from_ref(shape)) {
            Some(known) => name.clone_from(known),
            None => {
                while self.parts.contains_key(&name) {
                    name.push_str("_of_request");
                }
                self.shapes.insert(shape, name.clone());
            }
        }
        self.define(&name, |definitions| definitions.object(shape))
    }

    fn object(&mut self, shape: &'static Shape) -> Json {
        let mut properties = Map::new();
        let mut rules = Vec::new();
        for key in shape.all() {
            let form = self.form(key);
            for spelling in key.spellings() {
                let python = spelling.ends_with(EXPRESSION);
                let mut value = match python {
                    true => self.python(),
                    false => form.clone(),
                };
                if let Json::Object(value) = &mut value {
                    // Beside a reference, draft 7 ignores other keys.
                    if let Some(reference) = value.remove("$ref") {
                        value.insert("allOf".into(), json!([{"$ref": reference}]));
                    }
                    let mut doc = key.doc.to_string();
                    if python {
                        doc.push_str(" (Python)");
                    }
                    if let Some(default) = key.default {
                        let _ = write!(doc, " {LEFT_OUT}{default}.");
                    }
                    value.insert("description".into(), doc.into());
                }
                properties.insert(spelling, value);
            }
            let spellings: Vec<String> = key.spellings().collect();
            // Null is as good as nothing, save where it is a value.
            let null_counts = matches!(key.form, Form::Value | Form::Steps);
            let given = |s: &String| match null_counts && !s.ends_with(EXPRESSION) {
                true => json!({"required": [s]}),
                // Blank text is as good as nothing, too.
                false => json!({"required": [s], "properties": {s: {"not": {"anyOf": [
                    {"type": "null"},
                    {"type": "string", "pattern": "^\\s*$"},
                    {"type": "array", "maxItems": 0},
                ]}}}}),
            };
            match spellings.as_slice() {
                [one] if key.required => rules.push(given(one)),
                many if key.required => {
                    rules.push(json!({"anyOf": many.iter().map(given).collect::<Vec<_>>()}));
                }
                _ => {}
            }
            for (at, one) in spellings.iter().enumerate() {
                for other in &spellings[at + 1..] {
                    rules.push(json!({"not": {"required": [one, other]}}));
                }
            }
        }
        rules.extend(beyond_keys(shape));
        let mut object = json!({
            "type": "object",
            "description": shape.doc,
            "properties": properties,
            "additionalProperties": false,
        });
        if let (Json::Object(object), false) = (&mut object, rules.is_empty()) {
            object.insert("allOf".into(), rules.into());
        }
        object
    }

    fn python(&mut self) -> Json {
        self.define("python", |_| {
            json!({"type": ["string", "number", "boolean", "null"], "description": "Python: one expression, or statements with `return`."})
        })
    }

    fn form(&mut self, key: &Key) -> Json {
        let plain = self.plain_form(key);
        match key.form {
            _ if key.deferred && !matches!(key.form, Form::Label | Form::Value | Form::List(_)) => {
                json!({"anyOf": [plain, {"type": "string", "pattern": TEMPLATE}]})
            }
            _ => plain,
        }
    }

    fn plain_form(&mut self, key: &Key) -> Json {
        match key.form {
            Form::Id => json!({"type": ["string", "number", "null"], "pattern": "^[^\\n\\t]*\\S[^\\n\\t]*$"}),
            Form::Label => json!({"type": ["string", "number", "boolean", "null"]}),
            // A path: keys with dots between them, `[0]` and `['key']` behind them.
            Form::Path => {
                json!({"type": ["string", "null"], "pattern": "^\\s*\\$?(\\.?[^.\\[\\]{}$'\"\\s][^.\\[\\]{}$'\"]*|\\[[0-9]+\\]|\\['[^']*'\\])*\\s*$"})
            }
            Form::Name => self.define("name", |_| {
                json!({"type": ["string", "number", "null"], "not": {"type": "string", "pattern": TEMPLATE}})
            }),
            // A template can't be told here, only that it is none of the words.
            Form::Choice(words) => json!({"enum": words.iter().copied().map(Json::from).chain([Json::Null]).collect::<Vec<_>>()}),
            Form::Flag => json!({"type": ["boolean", "null"]}),
            Form::Positive => json!({"type": ["number", "null"], "exclusiveMinimum": 0}),
            Form::Duration => json!({"anyOf": [
                {"type": "null"},
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": "^\\s*([0-9.]*[1-9][0-9.]*\\s*(ms|s|seconds?|m|min|minutes?|h|hours?|d|days?)?|second|minute|hour|day)\\s*$"},
            ]}),
            Form::Words(words) => json!({"anyOf": [
                {"type": "null"},
                {"enum": words},
                {"type": "array", "items": {"enum": words}},
            ]}),
            Form::Whole => json!({"type": ["integer", "null"], "minimum": 1}),
            Form::Concurrency => json!({"anyOf": [{"type": ["integer", "null"], "minimum": 1}, {"const": "auto"}]}),
            Form::Size => json!({"anyOf": [
                {"type": ["integer", "null"], "minimum": 1},
                {"type": "string", "pattern": "^\\s*[0-9]*[1-9][0-9]*\\s*([bB]|[kKmMgG]([iI]?[bB])?)?\\s*$"},
            ]}),
            Form::Rejects => json!({"anyOf": [
                {"type": ["integer", "null"], "minimum": 0},
                {"type": "string", "pattern": "^\\s*([0-9]+|[0-9]+(\\.[0-9]+)?\\s*%)\\s*$"},
            ]}),
            Form::JsonPath => json!({"type": ["string", "null"], "not": {"pattern": TEMPLATE}}),
            Form::Count => json!({"type": ["integer", "null"], "minimum": 0}),
            Form::Method => {
                json!({"type": ["string", "null"], "anyOf": [
                    {"type": "null"},
                    {"pattern": TEMPLATE},
                    {"pattern": "^([Gg][Ee][Tt]|[Pp][Oo][Ss][Tt]|[Pp][Uu][Tt]|[Pp][Aa][Tt][Cc][Hh]|[Dd][Ee][Ll][Ee][Tt][Ee]|[Hh][Ee][Aa][Dd]|[Oo][Pp][Tt][Ii][Oo][Nn][Ss])$"},
                ]})
            }
            Form::Text => self.define("text", |_| {
                json!({"type": ["string", "number", "boolean", "null"], "description": "Text; `{{ var('x') }}` is Jinja."})
            }),
            Form::Value | Form::Code => json!({}),
            Form::Entries => self.define("entries", |_| json!({"type": ["object", "null"]})),
            Form::Statuses => {
                let status = json!({"type": "integer", "minimum": 100, "maximum": 599});
                json!({"anyOf": [
                    status,
                    {"type": "array", "items": status, "minItems": 1},
                    {"type": "null"},
                    {"type": "string", "pattern": TEMPLATE},
                ]})
            }
            Form::Variables => self.variables(),
            Form::Columns => self.columns(),
            Form::Hosts => {
                let host = json!({"type": "string", "pattern": "^(\\*\\.)?(\\[[^\\s/*@?#\\]]+\\]|[^\\s/*@?#:\\[][^\\s/*@?#:]*)(:[0-9]{1,5})?$"});
                json!({"anyOf": [{"type": "null"}, host, {"type": "array", "items": host}]})
            }
            Form::Ids => json!({"anyOf": [
                {"type": ["string", "null"]},
                {"type": "array", "items": {"type": "string"}},
            ]}),
            Form::Steps => self.steps(),
            Form::Plain => json!({"type": ["object", "null"]}),
            Form::Map(shape) => {
                let shape = self.shape(shape);
                json!({"anyOf": [{"type": "null"}, shape]})
            }
            Form::List(shape) => {
                let shape = self.shape(shape);
                json!({"type": ["array", "null"], "items": shape})
            }
            Form::OneOf(shapes) => {
                let cases = tagged(shapes, self);
                json!({"anyOf": [{"type": "null"}, cases]})
            }
        }
    }

    /// `name: value`, `name_expression: code` or `name: {value, scope}`.
    fn variables(&mut self) -> Json {
        self.define("variables", |definitions| {
            let python = definitions.python();
            let long = definitions.shape(&VARIABLE);
            let is_long = json!({
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"enum": ["value", "value_expression", "scope"]},
                "anyOf": [
                    {"required": ["value"]},
                    {"required": ["value_expression"]},
                    {"required": ["scope"], "properties": {"scope": {"enum": ["local", "project"]}}},
                ],
            });
            json!({
                "type": ["object", "null"],
                "patternProperties": {"_expression$": python},
                "additionalProperties": {"if": is_long, "then": long},
            })
        })
    }

    fn columns(&mut self) -> Json {
        self.define("columns", |definitions| {
            let long = definitions.shape(&COLUMN_TYPE);
            let column = definitions.shape(&COLUMN);
            let options = definitions.shape(&COLUMN_OPTIONS);
            let sql_type = definitions.define("type", |_| {
                json!({"if": {"type": "object"}, "then": long, "else": {
                    "type": "string",
                    "anyOf": [{"pattern": "^[^;{}]+$"}, {"pattern": TEMPLATE}],
                    "examples": ["text", "bigint", "numeric(10,2)", "double precision", "boolean", "timestamp", "date", "jsonb"],
                }})
            });
            let listed = json!({"allOf": [column], "properties": {"type": sql_type.clone()}});
            let options = json!({"allOf": [options], "properties": {"type": sql_type.clone()}});
            let named = json!({
                "if": {"type": "object", "anyOf": [{"required": ["type"]}, {"not": {"required": ["name"]}}]},
                "then": options,
                "else": sql_type,
            });
            json!({"anyOf": [
                {"type": "null"},
                {"type": "object", "minProperties": 1, "additionalProperties": named},
                {"type": "array", "minItems": 1, "items": listed},
            ]})
        })
    }
}

/// What stands before a key's default in its description.
const LEFT_OUT: &str = "Left out: ";
/// What every template holds.
const TEMPLATE: &str = "\\{\\{|\\{%|\\{#";
