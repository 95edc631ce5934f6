//! `IS [NOT] DISTINCT FROM`, which binds tighter than AND and OR: the parser takes all that follows for its right side.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE>

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value, VisitMut, VisitorMut};

/// Puts expressions together as SQL means them.
pub fn regroup(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut Groups);
}

struct Groups;

impl VisitorMut for Groups {
    type Break = ();

    /// Inner ones first. What stands in parentheses is a node of its own, so that an OR below an AND can only be one that was
    /// taken by mistake.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let (takes, side) = match expr {
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => (LOOSE, right),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: right,
            } => (LOOSE, right),
            Expr::BinaryOp {
                op: BinaryOperator::And,
                right,
                ..
            } => (&LOOSE[1..], right),
            _ => return ControlFlow::Continue(()),
        };
        if !is_one(side, takes) {
            return ControlFlow::Continue(());
        }
        // What was taken stays, and what took it goes to its first place.
        let mut taken = std::mem::replace(&mut **side, none());
        if let Some(first) = first(&mut taken, takes) {
            let own = std::mem::replace(first, none());
            *first = with_side(std::mem::replace(expr, none()), own);
            *expr = taken;
        }
        ControlFlow::Continue(())
    }
}

/// What binds looser than NOT, and behind the first, than AND.
const LOOSE: &[BinaryOperator] = &[BinaryOperator::And, BinaryOperator::Xor, BinaryOperator::Or];

fn is_one(expr: &Expr, of: &[BinaryOperator]) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if of.contains(op))
}

/// The first operand of a chain.
fn first<'e>(expr: &'e mut Expr, of: &[BinaryOperator]) -> Option<&'e mut Expr> {
    match expr {
        Expr::BinaryOp { op, left, .. } if of.contains(op) => match is_one(left, of) {
            true => first(left, of),
            false => Some(left),
        },
        _ => None,
    }
}

/// An expression with another right side.
fn with_side(mut expr: Expr, side: Expr) -> Expr {
    match &mut expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => **right = side,
        Expr::UnaryOp { expr: right, .. } | Expr::BinaryOp { right, .. } => **right = side,
        _ => {}
    }
    expr
}

fn none() -> Expr {
    Expr::Value(Value::Null.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;

    /// Writes an expression with all its parentheses.
    fn grouped(sql: &str) -> String {
        struct Wrap;
        impl VisitorMut for Wrap {
            type Break = ();
            fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
                if let Expr::Nested(inner) = expr {
                    *expr = (**inner).clone();
                }
                let wraps = matches!(
                    expr,
                    Expr::BinaryOp { .. }
                        | Expr::UnaryOp { .. }
                        | Expr::IsDistinctFrom(..)
                        | Expr::IsNotDistinctFrom(..)
                );
                if wraps {
                    *expr = Expr::Nested(Box::new(std::mem::replace(expr, none())));
                }
                ControlFlow::Continue(())
            }
        }
        let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql);
        let mut expr = parser.and_then(|mut parser| parser.parse_expr()).unwrap();
        regroup(&mut expr);
        let _ = expr.visit(&mut Wrap);
        expr.to_string()
    }

    #[test]
    fn what_follows_is_not_compared() {
        for (sql, means) in [
            ("a is distinct from b or c", "(a is distinct from b) or c"),
            (
                "a is distinct from b and c or d",
                "((a is distinct from b) and c) or d",
            ),
            (
                "x and a is distinct from b or d",
                "(x and (a is distinct from b)) or d",
            ),
            (
                "x and y and a is not distinct from b or d and e",
                "((x and y) and (a is not distinct from b)) or (d and e)",
            ),
            (
                "not a is distinct from b or c",
                "(not (a is distinct from b)) or c",
            ),
            (
                "x or a is distinct from b and c",
                "x or ((a is distinct from b) and c)",
            ),
            (
                "a is distinct from b + 1 or c",
                "(a is distinct from (b + 1)) or c",
            ),
            ("a is distinct from (b or c)", "a is distinct from (b or c)"),
            (
                "x and (a is distinct from b or d)",
                "x and ((a is distinct from b) or d)",
            ),
            (
                "a is distinct from b or c is distinct from d or e",
                "(a is distinct from b) or ((c is distinct from d) or e)",
            ),
            (
                "a is distinct from b and c is distinct from d or e",
                "((a is distinct from b) and (c is distinct from d)) or e",
            ),
        ] {
            assert_eq!(grouped(sql), grouped(&format!("({means})")), "{sql}");
        }
    }
}
