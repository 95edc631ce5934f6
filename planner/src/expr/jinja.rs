//! What a Jinja template uses, from minijinja's own parser.

use minijinja::machinery::ast::{Call, CallArg, Expr, Stmt};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;

use super::prop::{Code, has_template};
use super::uses::Uses;
use crate::codes::Code as DiagnosticCode;
use crate::diagnostic::Diagnostics;

/// Parses a template and finds what it uses, and whether the native engine renders it; a syntax error goes to `d`.
pub fn analyse(code: &Code, d: &mut Diagnostics) -> Option<(Uses, bool)> {
    match minijinja::machinery::parse(&code.text, &code.property, SyntaxConfig::default()) {
        Ok(template) => {
            let mut uses = Uses::default();
            statement(&template, &mut uses);
            Some((uses, super::template::is_native(&template)))
        }
        Err(error) => {
            let line = error.line().unwrap_or(1).saturating_sub(1);
            let detail = error.detail().unwrap_or("syntax error");
            d.error(
                DiagnosticCode::JinjaSyntax,
                code.place_of(line),
                format!("the Jinja of `{}` can't be read: {detail}", code.property),
            );
            None
        }
    }
}

/// Tells whether the native engine renders a template as Jinja2 does.
pub fn is_native_template(text: &str) -> bool {
    let parsed = minijinja::machinery::parse(text, "", SyntaxConfig::default());
    parsed.is_ok_and(|template| super::template::is_native(&template))
}

fn statement(stmt: &Stmt<'_>, uses: &mut Uses) {
    let mut all = |body: &[Stmt<'_>]| body.iter().for_each(|s| statement(s, uses));
    match stmt {
        Stmt::Template(t) => all(&t.children),
        Stmt::EmitRaw(_) => {}
        Stmt::EmitExpr(e) => expression(&e.expr, uses),
        Stmt::ForLoop(f) => {
            all(&f.body);
            all(&f.else_body);
            expression(&f.iter, uses);
            f.filter_expr.iter().for_each(|e| expression(e, uses));
        }
        Stmt::IfCond(i) => {
            all(&i.true_body);
            all(&i.false_body);
            expression(&i.expr, uses);
        }
        Stmt::WithBlock(w) => {
            all(&w.body);
            w.assignments.iter().for_each(|(_, e)| expression(e, uses));
        }
        Stmt::Set(s) => expression(&s.expr, uses),
        Stmt::SetBlock(s) => {
            all(&s.body);
            s.filter.iter().for_each(|e| expression(e, uses));
        }
        Stmt::AutoEscape(a) => all(&a.body),
        Stmt::FilterBlock(f) => {
            all(&f.body);
            expression(&f.filter, uses);
        }
        Stmt::Block(b) => all(&b.body),
        Stmt::Macro(m) => {
            all(&m.body);
            m.defaults.iter().for_each(|e| expression(e, uses));
        }
        Stmt::CallBlock(c) => {
            all(&c.macro_decl.body);
            call(&c.call, uses);
        }
        Stmt::Do(d) => call(&d.call, uses),
        // Templates have no loader: including fails when rendered.
        Stmt::Import(_) | Stmt::FromImport(_) | Stmt::Extends(_) | Stmt::Include(_) => {}
    }
}

fn expression(expr: &Expr<'_>, uses: &mut Uses) {
    let mut one = |e: &Expr<'_>| expression(e, uses);
    match expr {
        Expr::Const(_) => {}
        Expr::Var(v) => match v.id {
            "response" => uses.response = true,
            "var" | "table" | "query" | "query_scalar" | "is_var_defined" | "context" => {
                uses.anything();
            }
            _ => {}
        },
        Expr::Slice(s) => {
            one(&s.expr);
            [&s.start, &s.stop, &s.step].into_iter().flatten().for_each(one);
        }
        Expr::UnaryOp(u) => one(&u.expr),
        Expr::BinOp(b) => {
            one(&b.left);
            one(&b.right);
        }
        Expr::Compare(c) => {
            one(&c.expr);
            c.ops.iter().for_each(|op| one(&op.expr));
        }
        Expr::IfExpr(i) => {
            one(&i.test_expr);
            one(&i.true_expr);
            i.false_expr.iter().for_each(one);
        }
        Expr::Filter(f) => {
            f.expr.iter().for_each(&mut one);
            arguments(&f.args, uses);
        }
        Expr::Test(t) => {
            one(&t.expr);
            arguments(&t.args, uses);
        }
        Expr::GetAttr(g) => match variable(&g.expr) {
            Some(variable) => uses.column(&variable, g.name),
            None => one(&g.expr),
        },
        Expr::GetItem(g) => match (variable(&g.expr), constant(&g.subscript_expr)) {
            (Some(variable), Some(column)) => uses.column(&variable, &column),
            _ => {
                one(&g.expr);
                one(&g.subscript_expr);
            }
        },
        Expr::Call(c) => call(c, uses),
        Expr::List(l) => l.items.iter().for_each(one),
        Expr::Tuple(t) => t.items.iter().for_each(one),
        Expr::Map(m) => m.keys.iter().chain(&m.values).for_each(one),
    }
}

/// The name in `var('name')`.
fn variable(expr: &Expr<'_>) -> Option<String> {
    let Expr::Call(call) = expr else { return None };
    match (&call.expr, call.args.as_slice()) {
        (Expr::Var(v), [CallArg::Pos(name)]) if v.id == "var" => constant(name),
        _ => None,
    }
}

fn call(call: &Call<'_>, uses: &mut Uses) {
    // A method of a row: `get` asks for a column, the others for all.
    if let Expr::GetAttr(method) = &call.expr
        && let Some(variable) = variable(&method.expr)
    {
        if super::pure::CHANGING.contains(&method.name) {
            uses.changed.insert(variable.clone());
        }
        let column = match (method.name, call.args.first()) {
            ("get", Some(CallArg::Pos(column))) => constant(column),
            _ => None,
        };
        match column {
            Some(column) => uses.column(&variable, &column),
            None => expression(&method.expr, uses),
        }
        return arguments(&call.args, uses);
    }
    let name = match &call.expr {
        Expr::Var(v) => Some(v.id),
        Expr::GetAttr(g) if matches!(&g.expr, Expr::Var(v) if v.id == "context") => Some(g.name),
        _ => None,
    };
    let mut positional = Vec::new();
    let mut named = Vec::new();
    let mut opaque = false;
    for arg in &call.args {
        match arg {
            CallArg::Pos(e) => positional.push(constant(e)),
            CallArg::Kwarg(name, e) => named.push((*name, constant(e))),
            CallArg::PosSplat(_) | CallArg::KwargSplat(_) => opaque = true,
        }
    }
    let positional: Vec<Option<&str>> = positional.iter().map(Option::as_deref).collect();
    let named: Vec<(&str, Option<&str>)> = named.iter().map(|(n, v)| (*n, v.as_deref())).collect();
    match name {
        Some(_) if opaque => uses.anything(),
        Some(name) if uses.call(name, &positional, &named) => {}
        _ => expression(&call.expr, uses),
    }
    arguments(&call.args, uses);
}

fn arguments(args: &[CallArg<'_>], uses: &mut Uses) {
    for arg in args {
        match arg {
            CallArg::Pos(e) | CallArg::Kwarg(_, e) | CallArg::PosSplat(e) | CallArg::KwargSplat(e) => {
                expression(e, uses)
            }
        }
    }
}

fn constant(expr: &Expr<'_>) -> Option<String> {
    let value = expr.as_const()?;
    (value.kind() == ValueKind::String).then(|| value.to_string())
}

/// What takes the place of a template's expressions when the text around them is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// An identifier of the same length, so that offsets stay.
    SameLength,
    /// [`MARKER`], to be recognised in a name.
    Marker,
}

/// Stands in names where a template's value will be. A letter that no one writes into a table's name.
pub const MARKER: &str = "\u{1c2}";

/// Replaces `{{ ... }}` by an identifier, and `{% ... %}` and `{# ... #}` by blanks.
pub fn blank(text: &str, how: Blank) -> String {
    if !has_template(text) {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let kind = match rest.as_bytes().get(start + 1) {
            Some(b'{') => Some(("}}", '_')),
            Some(b'%') => Some(("%}", ' ')),
            Some(b'#') => Some(("#}", ' ')),
            _ => None,
        };
        let found = kind.and_then(|(close, fill)| {
            let end = rest[start..].find(close)?;
            Some((start + end + close.len(), fill))
        });
        let Some((end, fill)) = found else {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        };
        out.push_str(&rest[..start]);
        if how == Blank::Marker && fill == '_' {
            out.push_str(MARKER);
        } else {
            for c in rest[start..end].chars() {
                match c {
                    '\n' => out.push('\n'),
                    c => (0..c.len_utf8()).for_each(|_| out.push(fill)),
                }
            }
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}
