//! What Python code uses, from ruff's parser.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprContext, ModModule, Stmt};
use ruff_python_parser::parse_module;

use super::jinja::{Blank, blank};
use super::prop::Code;
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
    let mut finder = Finder { uses };
    finder.visit_body(&module.body);
}

struct Finder<'u> {
    uses: &'u mut Uses,
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
            on_context.then(|| attribute.attr.as_str())
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
    fn visit_expr(&mut self, expr: &'a Expr) {
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
