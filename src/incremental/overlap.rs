//! What becomes of rows that a table has in the ranges that were asked for.

use arrow::datatypes::DataType;
use chrono::DateTime;
use sequor_planner::ops::WriteMode;

use super::position::Position;
use super::round::{Came, Round};
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::overlap::{End, Literal, Overlap, Part, Region, Skip};
use crate::value::Value;

/// Returns what becomes of the rows that the table with the cursor has; none where its write mode says all of it. `passing`: its
/// columns whose values are others each time that a row comes.
///
/// # Errors
/// A cursor whose column can't be compared with; columns that tell whose rows they are, which the table does not have.
pub fn overlap(
    round: &Round,
    (cursor, passing): (&str, &[String]),
    columns: &[Column],
) -> Result<Option<Overlap>> {
    let mode = &round.settings.mode;
    if !round.settings.is_exact() {
        return Ok(None);
    }
    let Some(column) = find(columns, cursor) else {
        return Err(Error::new(
            ErrorKind::Data,
            format!("no column is the cursor `{cursor}`"),
        ));
    };
    let came = round.came();
    let skip = |came: &[Came]| Skip {
        column: column.name.clone(),
        from: least(came).and_then(|from| literal(from, column)),
        ignored: passing
            .iter()
            .filter_map(|name| Some(find(columns, name)?.name.clone()))
            .collect(),
    };
    if *mode != WriteMode::ReplaceRange {
        return Ok(Some(Overlap {
            skip: Some(skip(&came)),
            ..Overlap::default()
        }));
    }
    let at = |position: &Position| {
        literal(position, column).ok_or_else(|| {
            let message = format!(
                "`write_mode: replace_range` compares the cursor `{cursor}`, and its column is a {}",
                column.column_type.sql
            );
            Error::new(ErrorKind::Project, message).help("declare the column with a type like timestamptz")
        })
    };
    let (mut parts, mut refused) = (Vec::new(), Vec::new());
    for came in &came {
        let of = came.of.iter().map(|(name, value)| match find(columns, name) {
            Some(column) => Ok((column.name.clone(), value_of(value, column))),
            None => Err(Error::new(
                ErrorKind::Project,
                format!(
                    "`write_mode: replace_range` needs the column `{name}`, which tells whose rows they are"
                ),
            )),
        });
        let of: Vec<_> = of.collect::<Result<_>>()?;
        if !came.complete {
            // Some of it may have come: it stays as it was, and all of it comes again.
            refused.extend((!of.is_empty()).then(|| Part {
                of,
                ..Part::default()
            }));
            continue;
        }
        parts.push(Part {
            of,
            from: came.from.as_ref().map(at).transpose()?,
            to: match &came.to {
                None => None,
                // Rows at the very end belong to what is covered behind it, unless the API gives them here.
                Some(to) => Some(End {
                    at: at(to)?,
                    included: came.at_end,
                }),
            },
        });
    }
    // Where nothing tells whose rows they are, those that have come are added besides: they come again.
    let incomplete = came.iter().any(|came| !came.complete && came.of.is_empty());
    let column_name = || column.name.clone();
    Ok(Some(Overlap {
        delete: (!parts.is_empty()).then(|| Region {
            column: column_name(),
            parts,
        }),
        skip: incomplete.then(|| skip(&came)),
        leave_out: None,
        refuse: (!refused.is_empty()).then(|| Region {
            column: column_name(),
            parts: refused,
        }),
        unchanged: None,
    }))
}

fn find<'c>(columns: &'c [Column], name: &str) -> Option<&'c Column> {
    let mut named = columns.iter();
    named.find(|column| column.name.eq_ignore_ascii_case(name))
}

/// From where all of it was asked for; none: from the first row.
fn least(came: &[Came]) -> Option<&Position> {
    let all: Option<Vec<&Position>> = came.iter().map(|came| came.from.as_ref()).collect();
    all?.into_iter().min()
}

/// A position as its column is compared with; none where texts are times, which sort otherwise.
fn literal(position: &Position, column: &Column) -> Option<Literal> {
    Some(match (position, &column.column_type.arrow) {
        (Position::Text(text), DataType::Utf8) => text_of(text.clone(), column),
        (Position::Number(n), kind) if kind.is_numeric() => Literal::Number(n.to_string()),
        (Position::Time(micros), kind) => {
            let moment = DateTime::from_timestamp_micros(*micros)?;
            match kind {
                DataType::Date32 => Literal::Date(moment.format("%Y-%m-%d").to_string()),
                DataType::Timestamp(_, zone) => Literal::Time {
                    text: moment.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
                    zoned: zone.is_some(),
                },
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// A value of a row as a column is compared with it.
fn value_of(value: &Value, column: &Column) -> Literal {
    match (value, &column.column_type.arrow) {
        (Value::Null, _) => Literal::Null,
        (Value::Bool(value), DataType::Boolean) => Literal::Bool(*value),
        (Value::Int(n), kind) if kind.is_numeric() => Literal::Number(n.to_string()),
        (value, _) => text_of(value.to_text(), column),
    }
}

/// A text as a column is compared with it.
fn text_of(text: String, column: &Column) -> Literal {
    match (&column.column_type.arrow, column.column_type.logical) {
        (DataType::Utf8, Logical::Plain) => Literal::Exact(text),
        // What its database reads as something else, such as a uuid.
        _ => Literal::Text(text),
    }
}
