//! What a response parser returns, as far as its code shows it.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprDict, ModModule};

use super::python::literal_string;

/// A variable that a parser sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedVariable {
    pub name: String,
    /// `"scope": "local"`.
    pub local: bool,
}

/// A table that a parser fills. None: only the run knows it, or it is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedTable {
    pub source: Returned,
    pub table: Returned,
}

/// A part of a table's name in what a parser returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// Not there: the response's own is taken.
    Left,
    Literal(String),
    /// Computed.
    Any,
}

/// What a parser returns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Returns {
    /// None: any.
    pub variables: Option<Vec<ReturnedVariable>>,
    /// None: any.
    pub tables: Option<Vec<ReturnedTable>>,
}

/// Reads what the code returns off its dictionaries.
pub fn analyse(module: &ModModule) -> Returns {
    let mut finder = Finder::default();
    finder.visit_body(&module.body);
    Returns {
        variables: (!finder.any_variable).then_some(finder.variables),
        tables: (!finder.any_table).then_some(finder.tables),
    }
}

#[derive(Default)]
struct Finder {
    variables: Vec<ReturnedVariable>,
    any_variable: bool,
    tables: Vec<ReturnedTable>,
    any_table: bool,
}

impl<'a> Visitor<'a> for Finder {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Dict(dict) => {
                for item in &dict.items {
                    match (item.key.as_ref().and_then(literal_string), &item.value) {
                        (Some("variables"), Expr::Dict(variables)) => self.variables(variables),
                        (Some("variables"), _) => self.any_variable = true,
                        (Some("tables"), Expr::Dict(tables)) => self.named_tables(tables),
                        (Some("tables"), Expr::List(list)) => {
                            list.elts.iter().for_each(|table| self.listed_table(table));
                        }
                        (Some("tables"), _) => self.any_table = true,
                        (None, _) => (self.any_variable, self.any_table) = (true, true),
                        _ => {}
                    }
                }
            }
            // Set after the dictionary was made, or made in another way.
            Expr::StringLiteral(s) if s.value.to_str() == "variables" => self.any_variable = true,
            Expr::StringLiteral(s) if s.value.to_str() == "tables" => self.any_table = true,
            _ => walk_expr(self, expr),
        }
    }
}

impl Finder {
    fn variables(&mut self, variables: &ExprDict) {
        for variable in &variables.items {
            match variable.key.as_ref().and_then(literal_string) {
                Some(name) => self.variables.push(ReturnedVariable {
                    name: name.to_string(),
                    local: entry(&variable.value, "scope") == Returned::Literal("local".into()),
                }),
                None => self.any_variable = true,
            }
        }
    }

    fn named_tables(&mut self, tables: &ExprDict) {
        for table in &tables.items {
            let name = table.key.as_ref().and_then(literal_string);
            self.tables.push(ReturnedTable {
                source: Returned::Left,
                table: name.map_or(Returned::Any, |name| Returned::Literal(name.to_string())),
            });
        }
    }

    fn listed_table(&mut self, table: &Expr) {
        match table {
            Expr::Dict(_) => self.tables.push(ReturnedTable {
                source: entry(table, "source"),
                table: entry(table, "table"),
            }),
            _ => self.any_table = true,
        }
    }
}

/// The text of a dictionary's entry.
fn entry(expr: &Expr, key: &str) -> Returned {
    let Expr::Dict(dict) = expr else {
        return Returned::Left;
    };
    if dict.items.iter().any(|item| item.key.is_none()) {
        return Returned::Any;
    }
    let found = dict
        .items
        .iter()
        .find(|item| item.key.as_ref().and_then(literal_string) == Some(key));
    match found.map(|item| &item.value) {
        None => Returned::Left,
        Some(Expr::StringLiteral(text)) => Returned::Literal(text.value.to_str().to_string()),
        Some(_) => Returned::Any,
    }
}
