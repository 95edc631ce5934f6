//! Values of a row in the path of a url: they get the filter that keeps them inside it, also where one of them is chosen by `if`.

use minijinja::machinery::ast::{Expr, Stmt};
use minijinja::syntax::SyntaxConfig;

/// The filter that encodes what would end a path, and refuses what would leave it.
const PATH: &str = " | path";

/// The filter that refuses null.
const GIVEN: &str = " | given";

/// Returns the template of a url in which values of the row `row` that stand alone in the path are encoded; none where
/// there are none.
pub fn encoded(text: &str, row: &str) -> Option<String> {
    filtered(text, row, PATH, &|at| is_in_path(text, at))
}

/// Returns the template of a path parameter in which values of the row `row` that stand alone must be there; none where
/// there are none.
pub fn given(text: &str, row: &str) -> Option<String> {
    filtered(text, row, GIVEN, &|_| true)
}

fn filtered(text: &str, row: &str, filter: &str, fits: &dyn Fn(usize) -> bool) -> Option<String> {
    let template = minijinja::machinery::parse(text, "", SyntaxConfig::default()).ok()?;
    let mut found = Vec::new();
    emitted(&template, &mut found);
    let mut ends = Vec::new();
    for emit in found.into_iter().filter(|emit| fits(emit.start)) {
        of_row(emit.expr, row, &mut ends);
    }
    if ends.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len() + ends.len() * filter.len());
    let mut from = 0;
    for end in ends {
        out.push_str(&text[from..end]);
        out.push_str(filter);
        from = end;
    }
    out.push_str(&text[from..]);
    Some(out)
}

struct Emit<'t, 'e> {
    expr: &'e Expr<'t>,
    /// Where it begins in the text.
    start: usize,
}

fn emitted<'t, 'e>(stmt: &'e Stmt<'t>, found: &mut Vec<Emit<'t, 'e>>) {
    match stmt {
        Stmt::Template(t) => t.children.iter().for_each(|s| emitted(s, found)),
        Stmt::IfCond(i) => i
            .true_body
            .iter()
            .chain(&i.false_body)
            .for_each(|s| emitted(s, found)),
        Stmt::EmitExpr(e) => {
            found.push(Emit {
                expr: &e.expr,
                start: e.expr.span().start_offset as usize,
            });
        }
        _ => {}
    }
}

/// Adds where the values of the row end that an expression gives.
fn of_row(expr: &Expr<'_>, row: &str, ends: &mut Vec<usize>) {
    match expr {
        Expr::IfExpr(chosen) => {
            of_row(&chosen.true_expr, row, ends);
            if let Some(otherwise) = &chosen.false_expr {
                of_row(otherwise, row, ends);
            }
        }
        expr if is_of_row(expr, row) => ends.push(expr.span().end_offset as usize),
        _ => {}
    }
}

/// Whether it is a value of the row, and nothing more: what a filter or a function made of it stays.
fn is_of_row(expr: &Expr<'_>, row: &str) -> bool {
    match expr {
        Expr::GetAttr(g) => is_of_row(&g.expr, row),
        Expr::GetItem(g) => is_of_row(&g.expr, row),
        Expr::Call(call) => {
            let named = matches!(&call.expr, Expr::Var(v) if v.id == "var");
            let name = call.args.first().and_then(|arg| match arg {
                minijinja::machinery::ast::CallArg::Pos(arg) => arg.as_const(),
                _ => None,
            });
            named && name.is_some_and(|name| name.as_str() == Some(row))
        }
        _ => false,
    }
}

/// Whether a value that stands at `at` is in the path: behind the host, and before the query.
fn is_in_path(text: &str, at: usize) -> bool {
    // What is computed before it stands for something without slashes, save for a whole base url.
    let mut before = String::new();
    let mut rest = &text[..at];
    while let Some(start) = rest.find('{') {
        let computed = &rest[start..];
        let end = ["}}", "%}", "#}"]
            .iter()
            .filter_map(|end| computed.find(end))
            .min();
        before.push_str(&rest[..start]);
        match end {
            Some(end) => {
                before.push('x');
                rest = &computed[end + 2..];
            }
            None => rest = "",
        }
    }
    before.push_str(rest);
    if before.contains(['?', '#']) {
        return false;
    }
    match before.split_once("://") {
        Some((_, behind)) => behind.contains('/'),
        None => before.contains('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn values_of_the_row_in_the_path() {
        let same = |text: &str| assert_eq!(encoded(text, "p"), None, "{text}");
        let becomes = |text: &str, wanted: &str| assert_eq!(encoded(text, "p").as_deref(), Some(wanted));
        becomes("/x/{{ var('p')['id'] }}/y", "/x/{{ var('p')['id'] | path }}/y");
        becomes(
            "https://h.test/{{var('p').id}}/{{ var('q') }}/{{ var(\"p\")['b'] }}",
            "https://h.test/{{var('p').id | path}}/{{ var('q') }}/{{ var(\"p\")['b'] | path }}",
        );
        becomes(
            "{{ var('base') }}/a/{{ var('p').id }}",
            "{{ var('base') }}/a/{{ var('p').id | path }}",
        );
        becomes("/{{ var('p') }}", "/{{ var('p') | path }}");
        becomes(
            "/x/{{ var('p')['a'] if var('q') == 'r' else (var('p').b if 1 else 'c') }}",
            "/x/{{ var('p')['a'] | path if var('q') == 'r' else (var('p').b | path if 1 else 'c') }}",
        );
        becomes(
            "/x/{{ 'a' if var('q') else var('p') }}",
            "/x/{{ 'a' if var('q') else var('p') | path }}",
        );
        same("{{ var('p').url }}");
        same("https://{{ var('p').host }}/x");
        same("https://{{ var('p').shop }}.test/x?id={{ var('p').id }}");
        same("/x/{{ var('p').id | urlencode }}");
        same("/x/{{ var('p').id | segment }}");
        same("/x/{{ var('q').id }}");
        same("/x?id={{ var('p').id }}");
        same("/x/{{ var('p').id ~ 'a' }}");
    }
}
