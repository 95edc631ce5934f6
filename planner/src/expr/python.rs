//! What Python code uses, from ruff's parser.

use std::collections::HashMap;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprContext, ModModule, Stmt};
use ruff_python_parser::parse_module;

use super::aliases;
use super::jinja::{Blank, blank};
use super::prop::Code;
use super::pure;
use super::uses::Uses;
use crate::codes::Code as DiagnosticCode;
use crate::diagnostic::Diagnostics;

/// Parses code, its Jinja blanked out; a syntax error goes to `d` with its own line.
pub fn parse(code: &Code, d: &mut Diagnostics) -> Option<ModModule> {
    let text = blank(&code.text, Blank::SameLength);
    match parse_module(&text) {
        Ok(parsed) => Some(parsed.into_syntax()),
        // A template's statements may make any text: only the run can tell.
        Err(_) if code.text.contains("{%") => parse_module("").ok().map(|p| p.into_syntax()),
        Err(error) => {
            let offset = error.location.start().to_usize().min(text.len());
            let line = text[..offset].matches('\n').count();
            let place = code.place_of(line);
            d.error(
                DiagnosticCode::PythonSyntax,
                place,
                format!(
                    "the Python of `{}` can't be read: {} (line {} of the expression)",
                    code.property,
                    error.error,
                    line + 1
                ),
            )
            .help("one expression, or statements with `return`");
            None
        }
    }
}

/// Tells whether the code gives a value: it is one expression, or has a `return` (or raises, which is an answer, too).
pub fn returns(module: &ModModule) -> bool {
    if let [Stmt::Expr(_)] = module.body.as_slice() {
        return true;
    }
    let evaluate = module.body.iter().find_map(|stmt| match stmt {
        Stmt::FunctionDef(def) if def.name.as_str() == "evaluate" => Some(def),
        _ => None,
    });
    let mut finder = ReturnFinder(false);
    finder.visit_body(evaluate.map_or(&module.body, |def| &def.body));
    finder.0 || module.body.is_empty()
}

/// Looks for `return` with a value outside of functions in functions.
struct ReturnFinder(bool);

impl<'a> Visitor<'a> for ReturnFinder {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Return(_) | Stmt::Raise(_) => self.0 = true,
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// Adds what the code uses to `uses`.
pub fn analyse(module: &ModModule, uses: &mut Uses) {
    for stmt in &module.body {
        // The 1.x form may call its first parameter what it likes.
        if let Stmt::FunctionDef(def) = stmt
            && def.name.as_str() == "evaluate"
            && def
                .parameters
                .iter()
                .next()
                .is_some_and(|p| p.name() != "context")
        {
            uses.anything();
        }
    }
    let mut finder = Finder {
        aliases: aliases::of(module),
        uses,
    };
    finder.visit_body(&module.body);
}

struct Finder<'u> {
    uses: &'u mut Uses,
    /// Names that stand for `var('x')`, and x.
    aliases: HashMap<String, String>,
}

impl Finder<'_> {
    /// The variable that an expression is: `var('x')`, `context.var('x')` or a name given to it.
    fn variable(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => self.aliases.get(name.id.as_str()).cloned(),
            _ => variable_call(expr).map(str::to_string),
        }
    }

    /// `var('x')['column']` and `var('x').get('column')`: the variable and the column.
    fn column(&self, expr: &Expr) -> Option<(String, String)> {
        match expr {
            Expr::Subscript(subscript) if subscript.ctx == ExprContext::Load => {
                let column = literal_string(&subscript.slice)?;
                Some((self.variable(&subscript.value)?, column.to_string()))
            }
            Expr::Call(call) => {
                let Expr::Attribute(attribute) = &*call.func else {
                    return None;
                };
                let column = call.arguments.args.first().and_then(literal_string)?;
                let get = attribute.attr.as_str() == "get";
                get.then_some(())?;
                Some((self.variable(&attribute.value)?, column.to_string()))
            }
            _ => None,
        }
    }
}

/// Returns the name in `var('name')`.
pub(super) fn variable_call(expr: &Expr) -> Option<&str> {
    let Expr::Call(call) = expr else { return None };
    let bare = call.arguments.keywords.is_empty() && call.arguments.args.len() == 1;
    match function_name(&call.func) {
        Some("var") if bare => call.arguments.args.first().and_then(literal_string),
        _ => None,
    }
}

/// `var`, `context.var`, `context.sources.query`: the function of the language that a call names.
fn function_name(func: &Expr) -> Option<&str> {
    match func {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => {
            let on_context = match &*attribute.value {
                Expr::Name(name) => name.id == "context",
                Expr::Attribute(inner) => {
                    inner.attr.as_str() == "sources"
                        && matches!(&*inner.value, Expr::Name(name) if name.id == "context")
                }
                _ => false,
            };
            // `context.load` is what early 1.x flows call `table`.
            on_context.then(|| match attribute.attr.as_str() {
                "load" => "table",
                name => name,
            })
        }
        _ => None,
    }
}

pub(super) fn literal_string(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::StringLiteral(s) => Some(s.value.to_str()),
        _ => None,
    }
}

impl<'a> Visitor<'a> for Finder<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Some(what) = pure::imports_outside(stmt) {
            self.uses.outside.get_or_insert(what);
        }
        // Giving a row a name uses none of its columns.
        if let Stmt::Assign(assign) = stmt
            && let [Expr::Name(name)] = assign.targets.as_slice()
            && let Some(variable) = self.aliases.get(name.id.as_str())
        {
            self.uses.variables.insert(variable.clone());
            return;
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr
            && let Expr::Attribute(attribute) = &*call.func
            && pure::CHANGING.contains(&attribute.attr.as_str())
            && let Some(variable) = self.variable(&attribute.value)
        {
            self.uses.changed.insert(variable);
        }
        if let Expr::Subscript(subscript) = expr
            && subscript.ctx != ExprContext::Load
            && let Some(variable) = self.variable(&subscript.value)
        {
            self.uses.changed.insert(variable);
        }
        if let Some((variable, column)) = self.column(expr) {
            self.uses.column(&variable, &column);
            if let Expr::Call(call) = expr {
                call.arguments
                    .args
                    .iter()
                    .skip(1)
                    .for_each(|arg| self.visit_expr(arg));
            }
            return;
        }
        if let Expr::Attribute(attribute) = expr
            && matches!(attribute.attr.as_str(), "status_code" | "ok" | "raise_for_status")
        {
            self.uses.status = true;
        }
        if let Some(what) = pure::reaches_outside(expr) {
            self.uses.outside.get_or_insert(what);
        }
        match expr {
            Expr::Call(call) => {
                let splat = call.arguments.args.iter().any(Expr::is_starred_expr)
                    || call.arguments.keywords.iter().any(|k| k.arg.is_none());
                let args: Vec<Option<&str>> = call.arguments.args.iter().map(literal_string).collect();
                let names: Vec<(&str, Option<&str>)> = call
                    .arguments
                    .keywords
                    .iter()
                    .filter_map(|k| Some((k.arg.as_ref()?.as_str(), literal_string(&k.value))))
                    .collect();
                let known = match function_name(&call.func) {
                    Some("var" | "is_var_defined" | "table" | "query" | "query_scalar") if splat => {
                        self.uses.anything();
                        true
                    }
                    Some(name) => self.uses.call(name, &args, &names),
                    None => false,
                };
                if !known {
                    self.visit_expr(&call.func);
                }
                for arg in &call.arguments.args {
                    self.visit_expr(arg);
                }
                for keyword in &call.arguments.keywords {
                    self.visit_expr(&keyword.value);
                }
            }
            Expr::Name(name) if self.aliases.contains_key(name.id.as_str()) => {
                let variable = self.aliases.get(name.id.as_str()).cloned();
                variable.iter().for_each(|v| self.uses.rows.whole(v));
            }
            Expr::Name(name) => match name.id.as_str() {
                "response" => self.uses.response = true,
                // Given a new name or passed on: what is done with it can't be followed.
                "var" | "is_var_defined" | "table" | "query" | "query_scalar" | "context" | "globals"
                | "eval" | "exec"
                    if name.ctx == ExprContext::Load =>
                {
                    self.uses.anything();
                }
                _ => {}
            },
            _ => walk_expr(self, expr),
        }
    }
}
