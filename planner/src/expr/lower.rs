//! Python that is simple enough to run without an interpreter.
//!
//! Paths into the response (`response.json()['orders']`) and into variables (`var('row')['id']`), dictionaries, lists
//! and f-strings of such, `float` and `str` of them, and names given to them on the way. The meaning stays that of
//! Python: where a value is not of the kind that the native form is made for, or an error is to be told, the engine
//! runs the Python after all.

use std::collections::HashMap;

use ruff_python_ast::{CmpOp, Expr, ExprCall, InterpolatedStringElement, ModModule, Number, Operator, Stmt};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::python::{literal_string, variable_call};

/// A native form of Python code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lowered {
    /// `response.json()` followed by constant subscripts.
    ResponsePath(Vec<PathStep>),
    /// An expression.
    Expression {
        /// Values that get a name before, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        named: Vec<Native>,
        value: Native,
    },
}

/// One subscript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathStep {
    Key(String),
    Index(usize),
}

/// An expression in native form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Native {
    Constant(Json),
    /// `var('name')`
    Variable(String),
    /// The value of this position among the named ones.
    Named(usize),
    /// `response.json()` and constant subscripts.
    Response(Vec<PathStep>),
    /// `x['key']`, `x[0]`
    Item(Box<Native>, PathStep),
    /// `x.get('key')`, `x.get('key', default)`
    Get(Box<Native>, String, Option<Box<Native>>),
    List(Vec<Native>),
    Dictionary(Vec<(String, Native)>),
    /// An f-string: the texts of its parts.
    Text(Vec<Native>),
    /// `a + b`
    Sum(Box<Native>, Box<Native>),
    /// `float(x)`
    Float(Box<Native>),
    /// `str(x)`
    Str(Box<Native>),
    /// `x is None`; the flag: `is not`
    IsNone(Box<Native>, bool),
}

/// Returns the native form of the code, if it has one.
pub fn lower(module: &ModModule) -> Option<Lowered> {
    let (last, before) = module.body.split_last()?;
    let mut names = Names::default();
    let mut named = Vec::with_capacity(before.len());
    for stmt in before {
        let Stmt::Assign(assign) = stmt else { return None };
        let [Expr::Name(name)] = assign.targets.as_slice() else {
            return None;
        };
        named.push(names.expression(&assign.value)?);
        names.0.insert(name.id.to_string(), named.len() - 1);
    }
    let expr = match last {
        Stmt::Expr(stmt) if before.is_empty() => &*stmt.value,
        Stmt::Return(stmt) => stmt.value.as_deref()?,
        _ => return None,
    };
    match names.expression(expr)? {
        Native::Response(path) if named.is_empty() => Some(Lowered::ResponsePath(path)),
        value => Some(Lowered::Expression { named, value }),
    }
}

/// Names given so far, and the positions of their values.
#[derive(Default)]
struct Names(HashMap<String, usize>);

impl Names {
    fn boxed(&self, expr: &Expr) -> Option<Box<Native>> {
        self.expression(expr).map(Box::new)
    }

    fn expression(&self, expr: &Expr) -> Option<Native> {
        Some(match expr {
            Expr::StringLiteral(text) => Native::Constant(text.value.to_str().into()),
            Expr::NumberLiteral(number) => Native::Constant(match &number.value {
                Number::Int(n) => n.as_i64()?.into(),
                Number::Float(n) => Json::from(*n),
                Number::Complex { .. } => return None,
            }),
            Expr::BooleanLiteral(value) => Native::Constant(value.value.into()),
            Expr::NoneLiteral(_) => Native::Constant(Json::Null),
            Expr::Name(name) => Native::Named(*self.0.get(name.id.as_str())?),
            Expr::Call(call) => self.call(expr, call)?,
            Expr::Subscript(subscript) => {
                let step = step(&subscript.slice)?;
                match self.expression(&subscript.value)? {
                    Native::Response(mut path) => {
                        path.push(step);
                        Native::Response(path)
                    }
                    value => Native::Item(Box::new(value), step),
                }
            }
            Expr::List(list) => Native::List(
                list.elts
                    .iter()
                    .map(|e| self.expression(e))
                    .collect::<Option<_>>()?,
            ),
            Expr::Dict(dict) => {
                let entries = dict.items.iter().map(|item| {
                    let key = literal_string(item.key.as_ref()?)?;
                    Some((key.to_string(), self.expression(&item.value)?))
                });
                Native::Dictionary(entries.collect::<Option<_>>()?)
            }
            Expr::FString(text) => {
                let parts = text.value.elements().map(|part| match part {
                    InterpolatedStringElement::Literal(text) => Some(Native::Constant((*text.value).into())),
                    InterpolatedStringElement::Interpolation(part) => {
                        let plain = part.format_spec.is_none()
                            && part.debug_text.is_none()
                            && part.conversion == ruff_python_ast::ConversionFlag::None;
                        plain.then(|| self.expression(&part.expression))?
                    }
                });
                Native::Text(parts.collect::<Option<_>>()?)
            }
            Expr::BinOp(binary) if binary.op == Operator::Add => {
                Native::Sum(self.boxed(&binary.left)?, self.boxed(&binary.right)?)
            }
            Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
                ([op @ (CmpOp::Is | CmpOp::IsNot)], [Expr::NoneLiteral(_)]) => {
                    Native::IsNone(self.boxed(&compare.left)?, *op == CmpOp::IsNot)
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    fn call(&self, expr: &Expr, call: &ExprCall) -> Option<Native> {
        if let Some(variable) = variable_call(expr) {
            return Some(Native::Variable(variable.to_string()));
        }
        if !call.arguments.keywords.is_empty() {
            return None;
        }
        let args = &*call.arguments.args;
        match (&*call.func, args) {
            (Expr::Name(function), [arg]) => match function.id.as_str() {
                "float" => Some(Native::Float(self.boxed(arg)?)),
                "str" => Some(Native::Str(self.boxed(arg)?)),
                _ => None,
            },
            (Expr::Attribute(method), args) => match (method.attr.as_str(), args) {
                ("json", []) if matches!(&*method.value, Expr::Name(n) if n.id == "response") => {
                    Some(Native::Response(Vec::new()))
                }
                ("get", [key]) => {
                    let key = literal_string(key)?.to_string();
                    Some(Native::Get(self.boxed(&method.value)?, key, None))
                }
                ("get", [key, default]) => {
                    let key = literal_string(key)?.to_string();
                    let default = self.boxed(default)?;
                    Some(Native::Get(self.boxed(&method.value)?, key, Some(default)))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// A constant subscript.
fn step(slice: &Expr) -> Option<PathStep> {
    match slice {
        Expr::StringLiteral(key) => Some(PathStep::Key(key.value.to_str().to_string())),
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(index) => Some(PathStep::Index(index.as_usize()?)),
            _ => None,
        },
        _ => None,
    }
}
