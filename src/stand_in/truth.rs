//! Truth in databases where it is a number: MySQL and SQLite.

use sequor_planner::Dialect;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr, JoinConstraint, JoinOperator, Select, SelectItem,
    UnaryOperator, Value,
};

use super::tree::{cast, taken, wrap};
use super::udf;

/// Whether a database's truth is a number.
pub fn is_number(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::MySql | Dialect::Sqlite)
}

/// Gives out numbers for what is true or not, and has numbers be true or not where that is asked for.
pub fn of_select(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            numbered(expr);
        }
    }
    for asked in [&mut select.selection, &mut select.having].into_iter().flatten() {
        truthful(asked);
    }
    for from in &mut select.from {
        for join in &mut from.joins {
            if let JoinOperator::Join(on)
            | JoinOperator::Inner(on)
            | JoinOperator::Left(on)
            | JoinOperator::LeftOuter(on)
            | JoinOperator::Right(on)
            | JoinOperator::RightOuter(on) = &mut join.join_operator
                && let JoinConstraint::On(asked) = on
            {
                truthful(asked);
            }
        }
    }
}

/// Has the parts of an expression be true or not.
pub fn of_expr(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor,
            right,
        } => {
            truthful(left);
            truthful(right);
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => truthful(expr),
        Expr::Case {
            operand: None,
            conditions,
            ..
        } => conditions
            .iter_mut()
            .for_each(|CaseWhen { condition, .. }| truthful(condition)),
        _ => {}
    }
}

/// Has an expression be 0 or 1 where it is true or not.
pub fn numbered(expr: &mut Expr) {
    if gives_truth(expr) {
        *expr = cast(taken(expr), DataType::BigInt(None));
    }
}

fn truthful(expr: &mut Expr) {
    if !gives_truth(expr) {
        wrap(udf::TRUTH, expr);
    }
}

/// Whether an expression is true or not by its shape.
fn gives_truth(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => gives_truth(inner),
        Expr::Value(value) => matches!(value.value, Value::Boolean(_)),
        Expr::BinaryOp { op, .. } => matches!(
            op,
            BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
                | BinaryOperator::Spaceship
                | BinaryOperator::And
                | BinaryOperator::Or
                | BinaryOperator::Xor
        ),
        Expr::UnaryOp { op, .. } => *op == UnaryOperator::Not,
        Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::RLike { .. }
        | Expr::Exists { .. } => true,
        Expr::Function(function) => {
            let name = function.name.to_string();
            name == "regexp_like" || name == udf::TRUTH
        }
        _ => false,
    }
}
