//! Names of result columns that the query gives none: PostgreSQL's, so that `select count(*)` makes a column `count`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr, Statement, VisitMut, VisitorMut};

use super::names::fold;

/// Gives the unnamed columns of all queries in the statement their names. A name that is taken is not given again:
/// the column then keeps DataFusion's name, which is its expression.
pub fn name_columns(statement: &mut Statement) {
    let _ = statement.visit(&mut Namer);
}

struct Namer;

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_select(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn name_select(body: &mut SetExpr) {
    let items = match body {
        SetExpr::Select(select) => &mut select.projection,
        // The names of a union are those of its first part.
        SetExpr::SetOperation { left, .. } => return name_select(left),
        _ => return,
    };
    let mut taken: HashSet<String> = items.iter().filter_map(given).collect();
    for item in items {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let Some(name) = derived(expr) else {
            continue;
        };
        if taken.insert(name.clone()) {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote('"', name),
            };
        }
    }
}

/// The name that a query gives an item itself.
fn given(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(fold(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(fold),
        _ => None,
    }
}

/// Returns the name that PostgreSQL gives a column; none where it is `?column?`.
pub fn derived(expr: &Expr) -> Option<String> {
    let name = match expr {
        Expr::Identifier(name) => return Some(fold(name)),
        Expr::CompoundIdentifier(parts) => return parts.last().map(fold),
        Expr::Function(function) => {
            return function.name.0.last()?.as_ident().map(fold);
        }
        Expr::Nested(inner) => return derived(inner),
        Expr::Cast { expr, data_type, .. } => {
            let of_type = || {
                let text = data_type.to_string().to_lowercase();
                text.split(['(', ' ']).next().map(str::to_string)
            };
            return derived(expr).or_else(of_type);
        }
        Expr::Subquery(query) => {
            let SetExpr::Select(select) = query.body.as_ref() else {
                return None;
            };
            let item = select.projection.first()?;
            return given(item).or_else(|| match item {
                SelectItem::UnnamedExpr(expr) => derived(expr),
                _ => None,
            });
        }
        Expr::Case { .. } => "case",
        Expr::Extract { .. } => "extract",
        Expr::Exists { .. } => "exists",
        Expr::Array(_) => "array",
        Expr::Position { .. } => "position",
        Expr::Substring { .. } => "substring",
        Expr::Trim { .. } => "btrim",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        _ => return None,
    };
    Some(name.to_string())
}
