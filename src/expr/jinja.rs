//! Jinja by minijinja. Each template is compiled once: the environment keeps it under its own text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value as JinjaValue};
use minijinja::{Environment, ErrorKind as JinjaErrorKind, State, UndefinedBehavior};
use sequor_planner::expr::Code;

use super::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Row;
use crate::value::Value;
use crate::value::in_path;
use crate::world::{Ask, World, no_env, scalar, var};

const WORLD: &str = "__world";

/// Renders templates.
pub struct Jinja {
    environment: Environment<'static>,
}

/// The scope, as a value that templates carry but can't use.
struct WorldObject(Arc<dyn World>);

impl fmt::Debug for WorldObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("world")
    }
}

impl Object for WorldObject {}

impl Jinja {
    /// Creates an environment with the functions of the language and strict undefined.
    pub fn new() -> Jinja {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Errors name what is undefined.
        environment.set_debug(true);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // The methods that strings, lists and maps have in Python.
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        // A template's name is its text: compiled when first asked for, then kept.
        environment.set_loader(|text| Ok(Some(text.to_string())));
        environment.set_formatter(|out, state, value| {
            if value.is_undefined() {
                return Err(minijinja::Error::new(
                    JinjaErrorKind::UndefinedError,
                    "the value is not defined",
                ));
            }
            match python_spelling(value) {
                Some(text) => out.write_str(&text).map_err(Into::into),
                None => minijinja::escape_formatter(out, state, value),
            }
        });
        environment.add_function("var", |state: &State, name: &str| {
            let world = world(state)?;
            var(&*world, name).map(|v| to_jinja(&v)).map_err(fail)
        });
        environment.add_function("is_var_defined", |state: &State, name: &str| {
            let world = world(state)?;
            Ok::<_, minijinja::Error>(!matches!(world.variable(name), None | Some(Value::Null)))
        });
        environment.add_function(
            "env_var",
            |state: &State, name: &str, default: Option<JinjaValue>| {
                let world = world(state)?;
                match (world.environment(name), default) {
                    (Some(value), _) => Ok(JinjaValue::from(value)),
                    (None, Some(default)) => Ok(default),
                    (None, None) => no_env(&*world, name).map(JinjaValue::from).map_err(fail),
                }
            },
        );
        environment.add_function("secret", |state: &State, name: &str| {
            let world = world(state)?;
            let found = world.secret(name);
            found.map_or_else(|| no_env(&*world, name).map_err(fail), Ok)
        });
        environment.add_function("now", |state: &State| {
            world(state).map(|world| clock::now(world.now()))
        });
        environment.add_function("today", |state: &State| {
            world(state).map(|world| clock::today(world.now()))
        });
        environment.add_filter("datetime", |value: &JinjaValue, pattern: Option<&str>| {
            let pattern = pattern.unwrap_or("%Y-%m-%dT%H:%M:%S%z");
            if value.is_none() {
                return Err(fail(clock::null()));
            }
            encoded(value, |text| clock::formatted(text, pattern))
        });
        environment.add_filter("path", |value: &JinjaValue| encoded(value, in_path::path));
        environment.add_filter("given", |value: &JinjaValue| {
            encoded(value, |text| Ok(text.to_string()))
        });
        environment.add_filter("segment", |value: &JinjaValue| encoded(value, in_path::segment));
        environment.add_function("query", |state: &State, source: &str, sql: &str| {
            rows(state, &query(source, sql)).map(|rows| list(&rows))
        });
        environment.add_function("query_scalar", |state: &State, source: &str, sql: &str| {
            let rows = rows(state, &query(source, sql))?;
            scalar(&rows).map(|v| to_jinja(&v)).map_err(fail)
        });
        environment.add_function(
            "table",
            |state: &State, source: &str, table: &str, kwargs: Kwargs| {
                let ask = Ask::Table {
                    source: source.into(),
                    table: table.into(),
                    database: kwargs.get("database")?,
                    namespace: kwargs.get("namespace")?,
                };
                kwargs.assert_all_used()?;
                rows(state, &ask).map(|rows| list(&rows))
            },
        );
        Jinja { environment }
    }

    /// Renders the text of a property.
    pub fn render(&self, code: &Code, scope: &Arc<dyn World>) -> Result<String> {
        let world = JinjaValue::from_object(WorldObject(scope.clone()));
        self.environment
            .get_template(&code.text)
            .and_then(|template| template.render(minijinja::context! { __world => world }))
            .map_err(|error| explain(&error, code))
    }
}

/// A value as it stands in the path of a url.
fn encoded(
    value: &JinjaValue,
    encode: impl Fn(&str) -> Result<String>,
) -> std::result::Result<String, minijinja::Error> {
    if value.is_undefined() {
        let message = "the value is not defined";
        return Err(minijinja::Error::new(JinjaErrorKind::UndefinedError, message));
    }
    if value.is_none() {
        return Err(fail(in_path::null()));
    }
    let text = python_spelling(value).map_or_else(|| value.to_string(), |text| text.into_owned());
    encode(&text).map_err(fail)
}

fn query(source: &str, sql: &str) -> Ask {
    Ask::Query {
        source: source.into(),
        sql: sql.into(),
    }
}

fn world(state: &State) -> std::result::Result<Arc<dyn World>, minijinja::Error> {
    state
        .lookup(WORLD)
        .and_then(|v| v.downcast_object_ref::<WorldObject>().map(|w| w.0.clone()))
        .ok_or_else(|| minijinja::Error::new(JinjaErrorKind::InvalidOperation, "no scope"))
}

fn rows(state: &State, ask: &Ask) -> std::result::Result<Vec<Row>, minijinja::Error> {
    world(state)?.rows(ask).map_err(fail)
}

fn list(rows: &[Row]) -> JinjaValue {
    rows.iter()
        .map(|row| to_jinja(&Value::Row(row.clone())))
        .collect()
}

/// Our error, travelling through minijinja's.
fn fail(error: Error) -> minijinja::Error {
    minijinja::Error::new(JinjaErrorKind::InvalidOperation, error.to_string()).with_source(error)
}

/// The error to show: our own where one was raised, with the line of the template.
fn explain(error: &minijinja::Error, code: &Code) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(own) = current.downcast_ref::<Error>() {
            return own.clone().at(&code.place);
        }
        source = current.source();
    }
    let line = code.first_line + error.line().unwrap_or(1).saturating_sub(1);
    let detail = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    Error::new(
        ErrorKind::Template,
        format!("the Jinja of `{}` failed on line {line}: {detail}", code.property),
    )
    .at(&code.place)
}

/// Jinja2 prints what Python prints.
fn python_spelling(value: &JinjaValue) -> Option<Cow<'static, str>> {
    use minijinja::value::ValueKind;
    match value.kind() {
        ValueKind::None => Some("None".into()),
        ValueKind::Bool => Some(if value.is_true() { "True" } else { "False" }.into()),
        ValueKind::Number if !value.is_integer() => {
            let float = f64::try_from(value.clone()).ok()?;
            Some(crate::value::float_text(float).into())
        }
        _ => None,
    }
}

/// Returns a value as templates see it.
pub fn to_jinja(value: &Value) -> JinjaValue {
    match value {
        Value::Null => JinjaValue::from(()),
        Value::Bool(b) => JinjaValue::from(*b),
        Value::Int(n) => JinjaValue::from(*n),
        Value::Float(n) => JinjaValue::from(*n),
        Value::Text(text) => JinjaValue::from(text.clone()),
        Value::BigInt(text) => match text.parse::<i128>() {
            Ok(n) => JinjaValue::from(n),
            Err(_) => JinjaValue::from_object(Printed(value.clone())),
        },
        Value::Number(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Instant(_)
        | Value::Stamp(..)
        | Value::Duration(_)
        | Value::Uuid(_)
        | Value::Pairs(_) => JinjaValue::from_object(Printed(value.clone())),
        Value::Bytes(_) => JinjaValue::from_object(Printed(value.clone())),
        Value::List(items) => JinjaValue::from_object(ListObject(items.clone())),
        Value::Object(object) => match object.data() {
            Ok(Value::List(_) | Value::Map(_) | Value::Pairs(_)) | Err(_) => {
                JinjaValue::from_object(Printed(value.clone()))
            }
            Ok(data) => to_jinja(&data),
        },
        Value::Map(entries) => JinjaValue::from_object(MapObject(entries.clone())),
        Value::Row(row) => JinjaValue::from_object(RowObject(row.clone())),
    }
}

/// A decimal, date or time: templates print it.
#[derive(Debug)]
struct Printed(Value);

impl Object for Printed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text())
    }
}

/// A list: its items, read when asked for.
#[derive(Debug)]
struct ListObject(Arc<Vec<Value>>);

impl Object for ListObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &JinjaValue) -> Option<JinjaValue> {
        self.0.get(key.as_usize()?).map(to_jinja)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Value::List(self.0.clone()).repr())
    }
}

/// A map: its entries by name, read when asked for.
#[derive(Debug)]
struct MapObject(Arc<IndexMap<String, Value>>);

impl Object for MapObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &JinjaValue) -> Option<JinjaValue> {
        self.0.get(key.as_str()?).map(to_jinja)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|k| JinjaValue::from(k.as_str())).collect())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Value::Map(self.0.clone()).repr())
    }
}

/// A row as a map.
fn row_map(row: &Row) -> JinjaValue {
    let entries = row.iter().map(|(name, value)| (name.to_string(), value));
    JinjaValue::from_object(MapObject(Arc::new(entries.collect())))
}

/// A row: its columns by name, and `get`, `to_dict`, `keys`, `values`, `items`.
#[derive(Debug)]
struct RowObject(Row);

impl Object for RowObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &JinjaValue) -> Option<JinjaValue> {
        self.0.get(key.as_str()?).map(|v| to_jinja(&v))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.names().map(JinjaValue::from).collect())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Value::Row(self.0.clone()).repr())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[JinjaValue],
    ) -> std::result::Result<JinjaValue, minijinja::Error> {
        let pairs = || {
            self.0
                .iter()
                .map(|(name, value)| (name.to_string(), to_jinja(&value)))
        };
        match (method, args) {
            ("get", [name, default @ ..]) => {
                let missing = || {
                    let columns: Vec<&str> = self.0.names().collect();
                    let message = format!("the row has no column {name} (it has: {})", columns.join(", "));
                    minijinja::Error::new(JinjaErrorKind::UndefinedError, message)
                };
                let value = name.as_str().and_then(|n| self.0.get(n)).ok_or_else(missing)?;
                Ok(match (value, default.first()) {
                    (Value::Null, Some(default)) => default.clone(),
                    (value, _) => to_jinja(&value),
                })
            }
            ("to_dict", []) => Ok(row_map(&self.0)),
            ("keys", []) => Ok(pairs().map(|(k, _)| JinjaValue::from(k)).collect()),
            ("values", []) => Ok(pairs().map(|(_, v)| v).collect()),
            ("items", []) => Ok(pairs()
                .map(|(k, v)| JinjaValue::from(vec![JinjaValue::from(k), v]))
                .collect()),
            _ => Err(minijinja::Error::new(
                JinjaErrorKind::UnknownMethod,
                format!("a row has no method {method}"),
            )),
        }
    }
}
