//! The settings of an incremental step, evaluated.

use chrono::{DateTime, Utc};
use sequor_planner::ops::{Columns, Incremental, ResponseTable, RowsOf, WriteMode};
use sequor_planner::plan::Asks;

use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::run::Between;
use crate::incremental::{Kind, Position, Settings, kind_of, no_lookback};
use crate::sources::database::{Database, TableName};
use crate::value::Value;

/// What an incremental step asks by, as far as it is evaluated.
pub struct Evaluated<'a> {
    pub given: &'a Incremental,
    pub asks: &'a Asks,
    /// The rows that it asks for; none: it is one request.
    pub rows: Option<&'a RowsOf>,
    /// How the table with the cursor is written.
    pub mode: &'a WriteMode,
    pub initial: Option<String>,
    /// The range that is asked for, whatever is covered.
    pub between: Option<&'a Between>,
    /// What the cursor's column holds, where that is known.
    pub column: Option<Kind>,
    pub refresh: bool,
    pub now: DateTime<Utc>,
}

/// Returns what a cursor's column holds: as the flow declares it, or as the table has it; none where nobody knows.
///
/// # Errors
/// A column whose values are no positions; the database's.
pub async fn column_kind(
    database: &dyn Database,
    name: &TableName,
    (table, column): (&ResponseTable, &str),
    given: &Incremental,
) -> Result<Option<Kind>> {
    let found = match &table.columns {
        Columns::Declared(columns) => columns
            .iter()
            .find(|declared| declared.name == column)
            .map(|declared| database.column_type(&declared.sql_type))
            .transpose()?,
        _ => {
            let there = database.columns(name).await?.unwrap_or_default();
            let found = database.naming().find(&there, &database.fold(column));
            found.map(|column| column.column_type.clone())
        }
    };
    let Some(found) = found else {
        return Ok(None);
    };
    if found.logical == Logical::Numeric {
        // As texts, 10 sorts before 9.
        let message = format!(
            "the cursor `{}` is a {}, which may have places behind the point",
            given.cursor, found.sql
        );
        return Err(Error::new(ErrorKind::Project, message)
            .help("give its column the type bigint, or numeric(20,0)")
            .at(&given.place));
    }
    let kind = kind_of(&found.arrow, given).map_err(|e| e.at(&given.place))?;
    Ok(Some(kind))
}

/// Evaluates `initial`.
///
/// # Errors
/// What evaluates to nothing.
pub async fn initial(step: &StepContext, given: &Incremental) -> Result<Option<String>> {
    let Some(prop) = &given.initial else {
        return Ok(None);
    };
    Ok(match step.value(prop).await? {
        Value::Null => None,
        value => Some(value.to_text()),
    })
}

impl Evaluated<'_> {
    /// Reads its positions. With it comes what the cursor's values are, as far as that is known.
    ///
    /// # Errors
    /// An end of a range that is no position of the cursor.
    pub fn settings(self) -> Result<(Settings, Option<Kind>)> {
        let Evaluated {
            given, asks, column, ..
        } = self;
        let initial = self.initial.filter(|text| !text.trim().is_empty());
        let like = initial.as_deref().map(Kind::like);
        let kind = Kind::of_cursor(column, like);
        // Numbers with zeros before them sort as texts do.
        let padded = |text: &str| text.trim().len() > 1 && text.trim().starts_with('0');
        if let (Some(Kind::Text), Some(Kind::Number)) = (column, like)
            && !initial.as_deref().is_some_and(padded)
        {
            let message = format!(
                "`initial` is a number, and the cursor `{}` holds texts, of which 10 sorts before 9",
                given.cursor
            );
            return Err(Error::new(ErrorKind::Project, message)
                .help("give its column the type bigint")
                .at(&given.place));
        }
        let initial = match (initial, kind) {
            (Some(text), Some(kind)) => Some(kind.read(&text).ok_or_else(|| {
                let message = format!(
                    "`initial` is `{text}`, and the cursor `{}` holds {}",
                    given.cursor,
                    kind.name()
                );
                Error::new(ErrorKind::Project, message)
                    .help("write it as the cursor has it, like `initial: 2024-01-01`")
                    .at(&given.place)
            })?),
            _ => None,
        };
        let settings = Settings {
            given: given.clone(),
            initial,
            asks: asks.clone(),
            variable: self.rows.map(|rows| rows.variable.clone()).unwrap_or_default(),
            range: self
                .between
                .map(|between| range(between, given, asks, kind))
                .transpose()?,
            mode: self.mode.clone(),
            refresh: self.refresh,
            now: self.now,
        };
        if settings.given.lookback.is_some() && kind == Some(Kind::Text) {
            return Err(no_lookback(&settings));
        }
        if settings.given.delay.is_some() && matches!(kind, Some(Kind::Text | Kind::Number)) {
            let message = format!("`delay` is a time, and the cursor `{}` is none", given.cursor);
            return Err(Error::new(ErrorKind::Project, message)
                .help("leave it out. Where the cursor counts seconds, say so by `format: unix`")
                .at(&given.place));
        }
        Ok((settings, kind))
    }
}

/// A start and an end of what is asked for.
type Range = (Option<Position>, Option<Position>);

/// The range that a run is told to ask for.
fn range(between: &Between, given: &Incremental, asks: &Asks, kind: Option<Kind>) -> Result<Range> {
    let read = |option: &str, text: &Option<String>| -> Result<Option<Position>> {
        let Some(text) = text else { return Ok(None) };
        let kind = kind.unwrap_or_else(|| Kind::like(text));
        let read = kind.read(text);
        read.map(Some).ok_or_else(|| {
            let message = format!(
                "`{option} {text}`: the cursor `{}` holds {}",
                given.cursor,
                kind.name()
            );
            Error::new(ErrorKind::Project, message).at(&given.place)
        })
    };
    if between.until.is_some() && !asks.end {
        let message = "`--until`: the request does not say where it ends";
        return Err(Error::new(ErrorKind::Project, message)
            .help("add `end_param`, or use `{{ var('window')['end'] }}` in the request")
            .at(&given.place));
    }
    let (from, until) = (read("--from", &between.from)?, read("--until", &between.until)?);
    if let (Some(from), Some(until)) = (&from, &until)
        && from > until
    {
        let message = format!("`--from` is {from}, which lies behind `--until`, {until}");
        return Err(Error::new(ErrorKind::Project, message).at(&given.place));
    }
    Ok((from, until))
}
