//! Names of columns that a query gives none, as the real database names them.

use std::collections::HashSet;

use sequor_planner::Dialect;
use sqlparser::ast::{Expr, Ident, Select, SelectItem};

use super::tree::literal;
use crate::staging::column_name;

/// Gives the columns of a query the names that the real database gives them. One that is taken is not given again.
pub fn named(select: &mut Select, dialect: Dialect) {
    let mut taken = HashSet::new();
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => {
                taken.insert(alias.value.to_lowercase());
            }
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                taken.insert(name.value.to_lowercase());
            }
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                taken.extend(parts.last().map(|part| part.value.to_lowercase()));
            }
            _ => {}
        }
    }
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let name = match dialect {
            Dialect::Postgres => column_name(expr).unwrap_or_else(|| "?column?".into()),
            Dialect::MySql if literal(expr).is_some() => literal(expr).unwrap_or_default().to_string(),
            Dialect::Snowflake => expr.to_string().to_uppercase(),
            _ => expr.to_string(),
        };
        if taken.insert(name.to_lowercase()) {
            let quote = if dialect == Dialect::MySql { '`' } else { '"' };
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote(quote, name),
            };
        }
    }
}
