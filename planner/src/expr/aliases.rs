//! Names that Python code gives to variables of the language: `customer = var('customer')`.

use std::collections::HashMap;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprContext, ModModule, Stmt};

use super::python::variable_call;

/// Names that are bound once, to a variable: the name and the variable's.
pub fn of(module: &ModModule) -> HashMap<String, String> {
    let mut finder = Finder::default();
    finder.visit_body(&module.body);
    let bound = finder.bound;
    finder
        .given
        .into_iter()
        .filter(|(name, _)| bound.get(name) == Some(&1))
        .collect()
}

#[derive(Default)]
struct Finder {
    given: HashMap<String, String>,
    /// How often a name is bound, in whatever way.
    bound: HashMap<String, usize>,
}

impl Finder {
    fn bind(&mut self, name: &str) {
        *self.bound.entry(name.to_string()).or_default() += 1;
    }
}

impl<'a> Visitor<'a> for Finder {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Assign(assign) => {
                if let [Expr::Name(name)] = assign.targets.as_slice()
                    && let Some(variable) = variable_call(&assign.value)
                {
                    self.given.insert(name.id.to_string(), variable.to_string());
                }
            }
            // Whatever else can give a name a meaning makes it none of ours.
            Stmt::FunctionDef(def) => {
                self.bind(&def.name);
                def.parameters.iter().for_each(|p| self.bind(p.name()));
            }
            Stmt::ClassDef(def) => self.bind(&def.name),
            Stmt::Global(global) => global.names.iter().for_each(|n| self.bind(n)),
            Stmt::Nonlocal(nonlocal) => nonlocal.names.iter().for_each(|n| self.bind(n)),
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx != ExprContext::Load => self.bind(&name.id),
            Expr::Lambda(lambda) => {
                for parameter in lambda.parameters.iter().flat_map(|p| p.iter()) {
                    self.bind(parameter.name());
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}
