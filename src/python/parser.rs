//! What a response parser returns: rows for tables, variables, and whether to ask again.

use std::sync::Arc;

use indexmap::IndexMap;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyTuple};
use sequor_planner::expr::Code;

use super::call::Call;
use super::convert::from_python;
use super::object::keep;
use super::rows::{OnFull, kind};
use crate::batch::target::RowTarget;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Value, scoped};

/// What a response parser gave besides rows.
#[derive(Debug, Default)]
pub struct Parsed {
    /// With whether the variable is local, where the parser says so.
    pub variables: IndexMap<String, (Value, Option<bool>)>,
    pub again: Option<Value>,
    /// Statuses that are a success, where it says so.
    pub success: Option<Vec<u16>>,
    /// Keys that mean nothing.
    pub ignored: Vec<String>,
    /// Rows of the table that got the most.
    pub rows: u64,
}

/// A table as a parser names it.
#[derive(Debug, Default)]
pub struct NamedTable {
    pub source: Option<String>,
    pub database: Option<String>,
    pub namespace: Option<String>,
    pub table: Option<String>,
    /// Columns as the parser describes them.
    pub columns: Option<Value>,
    pub write_mode: Option<String>,
    pub primary_key: Vec<String>,
}

/// The tables that a parser may fill.
pub trait ParserTables {
    /// The position of a table.
    fn find(&mut self, named: NamedTable) -> Result<usize>;
    /// Appends rows to the table at a position.
    fn with(
        &mut self,
        at: usize,
        append: &mut dyn FnMut(&mut RowTarget, &mut OnFull<'_>) -> Result<u64>,
    ) -> Result<u64>;
    /// The names of the declared tables, by position: a parser has to fill each.
    fn declared(&self) -> Vec<String>;
}

const HELP: &str = "a parser returns {\"tables\": {name: [rows]}, \"variables\": {...}, \"while\": True}";
const TABLE_HELP: &str =
    "a table in a list is {\"source\": ..., \"table\": ..., \"columns\": {...}, \"data\": [rows]}";

fn wrong(code: &Code, message: String) -> Error {
    Error::new(ErrorKind::Data, message).help(HELP).at(&code.place)
}

impl<'py> Call<'_, 'py> {
    /// Evaluates a response parser: rows go to the tables, and what else it gives is returned.
    pub fn parse(&mut self, code: &Code, text: &Arc<str>, tables: &mut dyn ParserTables) -> Result<Parsed> {
        let object = self.object(code, text)?;
        let Ok(result) = object.cast::<PyDict>() else {
            let message = format!("the parser must return a dictionary, and gave {}", kind(&object));
            return Err(wrong(code, message));
        };
        // `response_expression` may give a parser, too.
        if let Some(parser) = result
            .get_item("parser_expression")
            .map_err(|e| self.explain(&e, code))?
            && let Ok(text) = parser.extract::<String>()
        {
            let mut parsed = self.parse(code, &text.into(), tables)?;
            if let Some(status) = result.get_item("success_status").ok().flatten() {
                parsed.success = status.extract().ok().or(parsed.success);
            }
            return Ok(parsed);
        }
        let of = |key: &str| {
            let value = result.get_item(key).ok().flatten().filter(|v| !v.is_none());
            value.map(|v| v.to_string())
        };
        let defaults = NamedTable {
            source: of("source"),
            database: of("database"),
            namespace: of("namespace"),
            table: of("table"),
            ..NamedTable::default()
        };
        let mut parsed = Parsed::default();
        let mut given = Vec::new();
        for (key, value) in result.iter() {
            match key.to_string().as_str() {
                "source" | "database" | "namespace" | "table" => {}
                "tables" => (given, parsed.rows) = self.tables(&value, &defaults, code, tables)?,
                "variables" if value.is_none() => {}
                "variables" => {
                    let Ok(entries) = value.cast::<PyDict>() else {
                        let message = format!("`variables` must be a dictionary, and is {}", kind(&value));
                        return Err(wrong(code, message));
                    };
                    for (name, value) in entries.iter() {
                        let name = name.to_string();
                        let value = keep(&value).map_err(|e| self.explain(&e, code))?;
                        let scoped = scoped(value).map_err(|scope| {
                            wrong(code, format!("variable `{name}` has the scope `{scope}`"))
                                .replace_help("scopes are local and project")
                        })?;
                        parsed.variables.insert(name, scoped);
                    }
                }
                "success_status" if !value.is_none() => {
                    let listed = value.extract::<Vec<u16>>();
                    parsed.success = Some(listed.map_err(|e| self.explain(&e, code))?);
                }
                "while" if !value.is_instance_of::<PyBool>() && !value.is_none() => {
                    let message = format!("`while` must be True or False, and is {}", kind(&value));
                    return Err(wrong(code, message));
                }
                "while" => parsed.again = Some(from_python(&value).map_err(|e| self.explain(&e, code))?),
                other => match sequor_planner::nearest(other, ["tables", "variables", "while"]) {
                    Some(near) => {
                        let message = format!("the parser returns an unknown key `{other}`");
                        let near = format!("did you mean `{near}`?");
                        return Err(wrong(code, message).replace_help(near));
                    }
                    None => parsed.ignored.push(other.to_string()),
                },
            }
        }
        let missing = tables.declared().into_iter().enumerate();
        match missing.into_iter().find(|(at, _)| !given.contains(at)) {
            Some((_, name)) => Err(wrong(
                code,
                format!("the parser returns no table `{name}`, which `response.tables` declares"),
            )),
            None => Ok(parsed),
        }
    }

    /// Appends the rows of all tables; the positions of those that were given, and the rows of the largest.
    fn tables(
        &mut self,
        value: &Bound<'py, PyAny>,
        defaults: &NamedTable,
        code: &Code,
        tables: &mut dyn ParserTables,
    ) -> Result<(Vec<usize>, u64)> {
        let (mut given, mut most) = (Vec::new(), 0);
        if value.is_none() {
            return Ok((given, most));
        }
        let mut rows = Vec::new();
        if let Ok(dict) = value.cast::<PyDict>() {
            for (name, list) in dict.iter() {
                let named = NamedTable {
                    table: Some(name.to_string()),
                    ..NamedTable::default()
                };
                rows.push((named, list));
            }
        } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            for item in value.try_iter().map_err(|e| self.explain(&e, code))? {
                rows.push(self.listed(&item.map_err(|e| self.explain(&e, code))?, code)?);
            }
        } else {
            let message = format!("`tables` must be a dictionary or a list, and is {}", kind(value));
            return Err(wrong(code, message));
        }
        for (named, list) in rows {
            let named = NamedTable {
                source: named.source.or_else(|| defaults.source.clone()),
                database: named.database.or_else(|| defaults.database.clone()),
                namespace: named.namespace.or_else(|| defaults.namespace.clone()),
                table: named.table.or_else(|| defaults.table.clone()),
                ..named
            };
            let at = tables.find(named).map_err(|e| e.at(&code.place))?;
            let rows = tables.with(at, &mut |target, full| self.append(&list, code, target, full))?;
            most = most.max(rows);
            given.push(at);
        }
        Ok((given, most))
    }

    /// A table of a list: `{"source": ..., "table": ..., "data": rows}`.
    fn listed(&mut self, item: &Bound<'py, PyAny>, code: &Code) -> Result<(NamedTable, Bound<'py, PyAny>)> {
        let wrong = |message: String| {
            Error::new(ErrorKind::Data, message)
                .help(TABLE_HELP)
                .at(&code.place)
        };
        let Ok(dict) = item.cast::<PyDict>() else {
            let message = format!("a table of `tables` must be a dictionary, and is {}", kind(item));
            return Err(wrong(message));
        };
        let mut named = NamedTable::default();
        let mut data = None;
        for (key, value) in dict.iter() {
            let text = || (!value.is_none()).then(|| value.to_string());
            match key.to_string().as_str() {
                "source" => named.source = text(),
                "database" => named.database = text(),
                "namespace" => named.namespace = text(),
                "table" => named.table = text(),
                "write_mode" => named.write_mode = text(),
                "primary_key" => {
                    let key = from_python(&value).map_err(|e| self.explain(&e, code))?;
                    named.primary_key = match key {
                        Value::Null => Vec::new(),
                        Value::List(names) => names.iter().map(Value::to_text).collect(),
                        one => vec![one.to_text()],
                    };
                }
                "columns" | "model" if value.is_none() => {}
                "columns" | "model" => {
                    named.columns = Some(from_python(&value).map_err(|e| self.explain(&e, code))?);
                }
                "data" => data = Some(value),
                // `response_expression` may give code where a flow has it.
                "data_expression" => data = Some(self.object(code, &value.to_string().into())?),
                "columns_expression" => {
                    let columns = self.object(code, &value.to_string().into())?;
                    named.columns = Some(from_python(&columns).map_err(|e| self.explain(&e, code))?);
                }
                other => return Err(wrong(format!("a table of `tables` has an unknown key `{other}`"))),
            }
        }
        match data {
            Some(data) => Ok((named, data)),
            None => Err(wrong("a table of `tables` has no `data`".into())),
        }
    }
}
