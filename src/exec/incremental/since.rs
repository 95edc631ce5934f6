//! From where an incremental transform computes rows: how far those of its target reach.

use std::sync::Arc;

use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use indexmap::IndexMap;
use sequor_planner::Dialect;
use sequor_planner::ops::{Since, WriteMode};

use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::incremental::{Kind, Position};
use crate::sources::database::{Database, TableName};
use crate::sources::overlap::{Literal, Overlap, Part, Region, Skip};
use crate::value::{Row, Value};
use crate::world::World;

/// Where a transform begins.
pub struct Start {
    /// `var('window')`.
    pub window: Value,
    /// What becomes of rows that the target has, besides what the write mode says.
    pub overlap: Option<Overlap>,
}

/// Returns where a transform begins: how far the rows of its target reach.
///
/// # Errors
/// A cursor that is no column of the target, or no position; the database's.
pub async fn start(
    step: &StepContext,
    since: &Since,
    mode: &WriteMode,
    (database, target): (&dyn Database, &TableName),
) -> Result<Start> {
    let initial = match step.value(&since.initial).await? {
        Value::Null => {
            return Err(Error::new(ErrorKind::Project, "`initial` is empty")
                .help("write it as the cursor has it, like `initial: 2024-01-01`")
                .at(&since.place));
        }
        value => value.to_text(),
    };
    let asked = StartOf {
        since,
        initial: &initial,
        mode,
        refresh: step.run.refreshes,
        now: step.scope.now(),
    };
    asked.find((database, target)).await
}

/// The start of what transform is asked for.
pub struct StartOf<'a> {
    pub since: &'a Since,
    /// `initial`, evaluated.
    pub initial: &'a str,
    pub mode: &'a WriteMode,
    /// Whether the target begins anew.
    pub refresh: bool,
    pub now: DateTime<Utc>,
}

impl StartOf<'_> {
    /// Finds it by the rows of the target.
    ///
    /// # Errors
    /// A cursor that is no column of the target, or no position; the database's.
    pub async fn find(self, (database, target): (&dyn Database, &TableName)) -> Result<Start> {
        let StartOf {
            since, initial, mode, ..
        } = self;
        let at_first = |overlap| Start {
            window: window(Value::text(initial)),
            overlap,
        };
        // As the query names it, where no table says otherwise.
        let named = database.fold(&since.cursor);
        if self.refresh {
            return Ok(at_first(Some(all(mode, &named))));
        }
        let Some(columns) = database.columns(target).await? else {
            return Ok(at_first(first(mode, &named)));
        };
        let Some(column) = database.naming().find(&columns, &database.fold(&since.cursor)) else {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let message = format!("the cursor `{}` is no column of `{target}`", since.cursor);
            return Err(Error::new(ErrorKind::Project, message)
                .help(format!("it has {}", names.join(", ")))
                .at(&since.place));
        };
        let cursor = Cursor::of(since, column, database.dialect())?;
        let first_start = cursor.initial(initial)?;
        let found = match newest(database, target, column, None).await? {
            // A row of the future says nothing of what comes until then: the newest of the others does.
            Some(newest) => match cursor.now_before(&newest, self.now) {
                Some(now) => self::newest(database, target, column, Some(&now)).await?,
                None => Some(newest),
            },
            None => None,
        };
        let Some(newest) = found else {
            return Ok(at_first(first(mode, &column.name)));
        };
        let at = cursor.start(&newest, &first_start)?;
        Ok(Start {
            overlap: overlap(mode, column, &at.literal),
            window: window(at.value),
        })
    }
}

impl Start {
    /// Returns it as text.
    pub fn text(&self) -> String {
        match &self.window {
            Value::Map(window) => window.get("start").map(Value::to_text).unwrap_or_default(),
            other => other.to_text(),
        }
    }
}

fn window(start: Value) -> Value {
    Value::Map(Arc::new(IndexMap::from([("start".to_string(), start)])))
}

/// What becomes of a target without rows: those that come have a cursor, where they are told apart by it.
fn first(mode: &WriteMode, column: &str) -> Option<Overlap> {
    match mode {
        WriteMode::ReplaceRange => Some(all(mode, column)),
        // Those of the future may be there.
        WriteMode::Append => Some(Overlap {
            skip: Some(Skip {
                column: column.to_string(),
                from: None,
                ignored: Vec::new(),
            }),
            ..Overlap::default()
        }),
        WriteMode::Upsert(_) | WriteMode::Replace => None,
    }
}

/// What becomes of a target whose rows all go.
fn all(mode: &WriteMode, column: &str) -> Overlap {
    let told_apart = matches!(mode, WriteMode::Append | WriteMode::ReplaceRange);
    Overlap {
        delete: Some(Region::all()),
        leave_out: told_apart.then(|| Skip {
            column: column.to_string(),
            from: None,
            ignored: Vec::new(),
        }),
        ..Overlap::default()
    }
}

/// What becomes of the rows that the target has from a position on.
fn overlap(mode: &WriteMode, column: &Column, from: &Literal) -> Option<Overlap> {
    let from_there = || {
        Some(Skip {
            column: column.name.clone(),
            from: Some(from.clone()),
            ignored: Vec::new(),
        })
    };
    match mode {
        WriteMode::Upsert(_) | WriteMode::Replace => None,
        WriteMode::Append => Some(Overlap {
            skip: from_there(),
            leave_out: from_there(),
            ..Overlap::default()
        }),
        WriteMode::ReplaceRange => Some(Overlap {
            delete: Some(Region {
                column: column.name.clone(),
                parts: vec![Part {
                    from: Some(from.clone()),
                    ..Part::default()
                }],
            }),
            leave_out: from_there(),
            ..Overlap::default()
        }),
    }
}

/// The newest cursor of a table, as its database has it, or the newest up to a time; none where it has no such rows.
async fn newest(
    database: &dyn Database,
    target: &TableName,
    column: &Column,
    until: Option<&str>,
) -> Result<Option<Value>> {
    let name = database.quote(&column.name);
    let until = until.map_or_else(String::new, |until| format!(" WHERE {name} <= '{until}'"));
    let sql = format!(
        "SELECT max({name}) AS newest FROM {}{until}",
        database.quoted(target)
    );
    let mut batches = database.query(&sql).await?.batches;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            let row = Row::new(Arc::new(batch), 0);
            let value = row.iter().next().map(|(_, value)| value);
            return Ok(value.filter(|value| !matches!(value, Value::Null)));
        }
    }
    Ok(None)
}

/// How the values of a cursor are read and written.
struct Cursor<'a> {
    since: &'a Since,
    kind: Kind,
    column: &'a DataType,
    dialect: Dialect,
}

/// Where rows are computed from.
struct At {
    value: Value,
    literal: Literal,
}

impl Cursor<'_> {
    fn of<'a>(since: &'a Since, column: &'a Column, dialect: Dialect) -> Result<Cursor<'a>> {
        let column = &column.column_type.arrow;
        let kind = Kind::of(column, None).map_err(|kind| {
            let message = format!("the cursor `{}` is a {kind}", since.cursor);
            Error::new(ErrorKind::Project, message)
                .help("a cursor is a time, a date, a whole number, or a text that sorts")
                .at(&since.place)
        })?;
        Ok(Cursor {
            since,
            kind,
            column,
            dialect,
        })
    }

    /// Reads `initial`.
    fn initial(&self, initial: &str) -> Result<Position> {
        self.kind.read(initial).ok_or_else(|| {
            let message = format!(
                "`initial` is `{initial}`, and the cursor `{}` holds {}",
                self.since.cursor,
                self.kind.name()
            );
            Error::new(ErrorKind::Project, message)
                .help("write it as the cursor has it, like `initial: 2024-01-01`")
                .at(&self.since.place)
        })
    }

    /// Returns the time as the column is compared with it, where a cursor lies behind it.
    fn now_before(&self, newest: &Value, now: DateTime<Utc>) -> Option<String> {
        let text = newest.to_text();
        let kind = match self.kind {
            Kind::Text => Kind::like(&text),
            kind => kind,
        };
        let (now, newest) = (kind.at(now)?, kind.read(&text)?);
        (now < newest).then(|| {
            let written = self.written(&now, None).like(&text, self.is_text());
            written.value.to_text()
        })
    }

    fn start(&self, newest: &Value, initial: &Position) -> Result<At> {
        let text = newest.to_text();
        // Texts sort as they are written; what they mean is only asked where it is moved.
        let kind = match (self.kind, self.since.lookback) {
            (Kind::Text, Some(_)) => Kind::like(&text),
            (kind, _) => kind,
        };
        let wrong = |what: &str| {
            let message = format!("the cursor `{}` is `{text}`, and {what}", self.since.cursor);
            Error::new(ErrorKind::Project, message).at(&self.since.place)
        };
        let newest = kind.read(&text).ok_or_else(|| wrong("that is no position"))?;
        let back = match self.since.lookback {
            None => newest.clone(),
            Some(span) => kind
                .moved(&newest, -span)
                .ok_or_else(|| wrong("`lookback` moves times, dates and numbers"))?,
        };
        // Where texts are moved, `initial` is read as they are.
        let initial = match (initial, kind) {
            (Position::Text(text), kind) => kind.read(text),
            (position, _) => Some(position.clone()),
        };
        let from = match initial {
            Some(initial) => initial.max(back),
            None => back,
        };
        Ok(match from == newest {
            true => self.written(&from, Some(&text)),
            false => self.written(&from, None).like(&text, self.is_text()),
        })
    }

    /// Whether values are compared as texts: in their own form, whatever that is.
    fn is_text(&self) -> bool {
        *self.column == DataType::Utf8 || self.dialect == Dialect::Sqlite
    }

    /// Writes a position as the column is compared with it. `own`: as the database has it.
    fn written(&self, position: &Position, own: Option<&str>) -> At {
        let text = match position {
            Position::Number(n) => {
                return At {
                    value: i64::try_from(*n).map_or_else(|_| Value::text(n.to_string()), Value::Int),
                    literal: Literal::Number(n.to_string()),
                };
            }
            Position::Text(text) => text.clone(),
            Position::Time(micros) => {
                let moment = DateTime::from_timestamp_micros(*micros).unwrap_or_default();
                let format = match self.column {
                    DataType::Date32 => "%Y-%m-%d",
                    DataType::Timestamp(_, Some(_)) if self.dialect != Dialect::MySql => {
                        "%Y-%m-%d %H:%M:%S%.f+00:00"
                    }
                    _ => "%Y-%m-%d %H:%M:%S%.f",
                };
                moment.format(format).to_string()
            }
        };
        let text = match own {
            Some(own) if self.is_text() => own.to_string(),
            _ => text,
        };
        At {
            value: Value::text(text.as_str()),
            literal: self.literal(text),
        }
    }

    fn literal(&self, text: String) -> Literal {
        match self.column {
            _ if self.is_text() => Literal::Text(text),
            DataType::Date32 => Literal::Date(text),
            DataType::Timestamp(_, zone) => Literal::Time {
                text: text.trim_end_matches("+00:00").to_string(),
                zoned: zone.is_some(),
            },
            _ => Literal::Text(text),
        }
    }
}

impl At {
    /// The same in the form of another text, where texts are compared.
    fn like(self, form: &str, is_text: bool) -> At {
        let Literal::Text(text) = &self.literal else {
            return self;
        };
        if is_text && Kind::like(form) == Kind::Date {
            let day: String = text.chars().take(10).collect();
            return At {
                value: Value::text(day.as_str()),
                literal: Literal::Text(day),
            };
        }
        if !is_text || Kind::like(form) != Kind::Time {
            return self;
        }
        let mut text = text.trim_end_matches("+00:00").to_string();
        if form.contains('T') {
            text = text.replacen(' ', "T", 1);
        }
        if form.ends_with('Z') {
            text.push('Z');
        } else if let Some(offset) = form
            .get(19..)
            .and_then(|rest| rest.find(['+', '-']).map(|at| &rest[at..]))
        {
            // Of another offset than UTC the text would not sort with the others: it is the moment's own.
            text.push_str(if offset.trim_matches(['+', '-', '0', ':']).is_empty() {
                offset
            } else {
                "+00:00"
            });
        }
        At {
            value: Value::text(text.as_str()),
            literal: Literal::Text(text),
        }
    }
}
