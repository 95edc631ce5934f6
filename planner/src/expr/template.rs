//! Which templates the native engine renders to the letter as Jinja2 does: those that print variables, their columns and
//! entries, with filters of text. Python's Jinja2 renders the others.

use minijinja::machinery::ast::{Call, CallArg, Expr, Stmt};

/// Filters that mean the same on what they are native for; on anything else the native engine gives up.
const FILTERS: &[&str] = &[
    "upper",
    "lower",
    "trim",
    "urlencode",
    "datetime",
    "segment",
    "path",
    "given",
];

/// What Python finds as a method before it looks for an entry of that name.
const METHODS: &[&str] = &[
    "append",
    "clear",
    "copy",
    "count",
    "extend",
    "fromkeys",
    "get",
    "index",
    "insert",
    "items",
    "keys",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
    "values",
    "columns",
    "to_dict",
];

/// Tells whether the native engine renders the template as Jinja2 does.
pub fn is_native(template: &Stmt<'_>) -> bool {
    match template {
        Stmt::Template(t) => t.children.iter().all(is_native),
        Stmt::EmitRaw(_) => true,
        Stmt::EmitExpr(e) => expression(&e.expr),
        _ => false,
    }
}

fn expression(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Const(_) => true,
        Expr::Call(call) => function(call) || get(call),
        Expr::GetAttr(g) => path(&g.expr) && !METHODS.contains(&g.name) && !g.name.starts_with('_'),
        Expr::GetItem(g) => path(&g.expr) && g.subscript_expr.as_const().is_some(),
        Expr::Filter(f) => {
            let plain = f.args.is_empty() || matches!(f.name, "datetime");
            plain && FILTERS.contains(&f.name) && f.expr.as_ref().is_some_and(expression)
        }
        _ => false,
    }
}

/// A variable, or something below one.
fn path(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Call(call) => named(call) == Some("var") && constants(call),
        Expr::GetAttr(_) | Expr::GetItem(_) => expression(expr),
        _ => false,
    }
}

fn named<'a>(call: &Call<'a>) -> Option<&'a str> {
    match &call.expr {
        Expr::Var(v) => Some(v.id),
        _ => None,
    }
}

/// A function of the language, with constant arguments.
fn function(call: &Call<'_>) -> bool {
    let known = [
        "var",
        "env_var",
        "secret",
        "is_var_defined",
        "query_scalar",
        "now",
        "today",
    ];
    named(call).is_some_and(|name| known.contains(&name)) && constants(call)
}

/// `var('row').get('column')`.
fn get(call: &Call<'_>) -> bool {
    match &call.expr {
        Expr::GetAttr(g) => g.name == "get" && path(&g.expr) && constants(call),
        _ => false,
    }
}

fn constants(call: &Call<'_>) -> bool {
    call.args.iter().all(|arg| match arg {
        CallArg::Pos(e) | CallArg::Kwarg(_, e) => e.as_const().is_some(),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => false,
    })
}
