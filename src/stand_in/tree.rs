//! Expressions of SQL, made.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

/// The name of a function.
pub fn named(name: &str) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))])
}

/// A value.
pub fn value(value: Value) -> Expr {
    let span = Span::empty();
    Expr::Value(ValueWithSpan { value, span })
}

/// A number.
pub fn number(text: &str) -> Expr {
    value(Value::Number(text.into(), false))
}

/// A text.
pub fn text(text: &str) -> Expr {
    value(Value::SingleQuotedString(text.into()))
}

/// The call of a function.
pub fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let list = FunctionArgumentList {
        duplicate_treatment: None,
        args: arguments
            .into_iter()
            .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
            .collect(),
        clauses: Vec::new(),
    };
    Expr::Function(Function {
        name: named(name),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// An expression as another type.
pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// The arguments of the call of a function by its name.
pub fn called(expr: &Expr, name: &str) -> Option<Vec<Expr>> {
    match expr {
        Expr::Function(function) if function.name.to_string() == name => Some(arguments(function)),
        _ => None,
    }
}

/// The arguments of a function that are expressions.
pub fn arguments(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    let expression = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().filter_map(expression).collect()
}

/// The text of a literal.
pub fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => literal(inner),
        _ => None,
    }
}

/// Takes an expression out of its place.
pub fn taken(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Identifier(Ident::new("taken")))
}

/// Puts a function around an expression.
pub fn wrap(name: &str, expr: &mut Expr) {
    *expr = call(name, [taken(expr)]);
}

/// An expression of the staging database's SQL with `{1}` for the first of `arguments`, in parentheses.
///
/// # Errors
/// The template can't be read.
pub fn filled(template: &str, arguments: &[Expr]) -> Result<Expr, String> {
    let mut sql = template.to_string();
    for at in 1..=arguments.len() {
        sql = sql.replace(&format!("{{{at}}}"), &format!("argument__{at}"));
    }
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&sql);
    let parsed = parser.and_then(|mut parser| parser.parse_expr());
    let mut expr = parsed.map_err(|e| format!("`{template}`: {e}"))?;
    let _ = expr.visit(&mut Filler { arguments });
    Ok(Expr::Nested(Box::new(expr)))
}

struct Filler<'a> {
    arguments: &'a [Expr],
}

impl VisitorMut for Filler<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && let Some(at) = name.value.strip_prefix("argument__")
            && let Some(argument) = at.parse::<usize>().ok().and_then(|at| self.arguments.get(at - 1))
        {
            *expr = match argument {
                Expr::Value(_) | Expr::Identifier(_) | Expr::Function(_) | Expr::Nested(_) => {
                    argument.clone()
                }
                other => Expr::Nested(Box::new(other.clone())),
            };
        }
        ControlFlow::Continue(())
    }
}
