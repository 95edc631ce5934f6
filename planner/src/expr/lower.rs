//! Python that is simple enough to run without an interpreter.
//!
//! Only a path into the response is lowered today: `response.json()['orders']`. Its meaning is kept, also when it
//! fails: a missing key is an error that names it.

use ruff_python_ast::{Expr, ModModule, Number, Stmt};
use serde::Serialize;

/// A native form of Python code.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lowered {
    /// `response.json()` followed by constant subscripts.
    ResponsePath(Vec<PathStep>),
}

/// One subscript.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PathStep {
    Key(String),
    Index(usize),
}

/// The native form of the code, if it has one.
pub fn lower(module: &ModModule) -> Option<Lowered> {
    let expr = match module.body.as_slice() {
        [Stmt::Expr(stmt)] => &*stmt.value,
        [Stmt::Return(stmt)] => stmt.value.as_deref()?,
        _ => return None,
    };
    let mut path = Vec::new();
    response_path(expr, &mut path)?;
    Some(Lowered::ResponsePath(path))
}

fn response_path(expr: &Expr, path: &mut Vec<PathStep>) -> Option<()> {
    match expr {
        Expr::Call(call) => {
            let Expr::Attribute(json) = &*call.func else {
                return None;
            };
            let response = matches!(&*json.value, Expr::Name(name) if name.id == "response");
            let bare = call.arguments.args.is_empty() && call.arguments.keywords.is_empty();
            (response && bare && json.attr.as_str() == "json").then_some(())
        }
        Expr::Subscript(subscript) => {
            response_path(&subscript.value, path)?;
            path.push(match &*subscript.slice {
                Expr::StringLiteral(key) => PathStep::Key(key.value.to_str().to_string()),
                Expr::NumberLiteral(number) => match &number.value {
                    Number::Int(index) => PathStep::Index(index.as_usize()?),
                    _ => return None,
                },
                _ => return None,
            });
            Some(())
        }
        _ => None,
    }
}
