//! The time of day in templates, written as Python writes it.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset, Utc};
use sequor_planner::ops::TimeFormat;

use crate::batch::cell::Cell;
use crate::batch::time_format::TimeReader;
use crate::error::{Error, ErrorKind, Result};

/// Writes a moment, in UTC: `2024-05-01 10:00:00.123456+00:00`.
pub fn now(now: DateTime<Utc>) -> String {
    match now.timestamp_subsec_micros() {
        0 => now.format("%Y-%m-%d %H:%M:%S+00:00").to_string(),
        _ => now.format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string(),
    }
}

/// Writes the day of a moment, in UTC: `2024-05-01`.
pub fn today(now: DateTime<Utc>) -> String {
    now.format("%Y-%m-%d").to_string()
}

/// Returns what is said of null, which is no date.
pub fn null() -> Error {
    Error::new(ErrorKind::Data, "`datetime`: null is no date or time").help(
        "give another value where there is none: `{{ (var('day') or today()) | datetime('%d.%m.%Y') }}`",
    )
}

/// Writes a date or time, given in ISO 8601, by a pattern of strftime.
///
/// # Errors
/// A text that is no date, or a pattern that is none.
pub fn formatted(text: &str, pattern: &str) -> Result<String> {
    let read = TimeReader::new(&TimeFormat::Iso8601).read(&Cell::Text(text.into()));
    let (micros, offset) = match read {
        Ok(Cell::Clock(micros, offset)) => (micros, offset),
        _ => {
            let message = format!("`datetime`: `{text}` is no date or time in ISO 8601");
            return Err(Error::new(ErrorKind::Data, message).help(
                "for example 2024-05-01 or 2024-05-01T10:00:00Z; `strptime(text, format)` reads others",
            ));
        }
    };
    let wrong = || {
        Error::new(
            ErrorKind::Data,
            format!("`datetime`: `{pattern}` is not a pattern of strftime"),
        )
    };
    // Python writes microseconds, no zone where there is none, and a zone's name as its distance from UTC.
    let (zone, offset_of) = match offset {
        None => ("", ""),
        Some(0) => ("UTC", "%z"),
        Some(_) => ("UTC%:z", "%z"),
    };
    let here = pattern
        .replace("%%", "\u{0}")
        .replace("%f", "%6f")
        .replace("%z", offset_of)
        .replace("%Z", zone)
        .replace('\u{0}', "%%");
    let items: Vec<Item<'_>> = StrftimeItems::new(&here).collect();
    if items.iter().any(|item| matches!(item, Item::Error)) {
        return Err(wrong());
    }
    let clock = DateTime::<Utc>::from_timestamp_micros(micros).ok_or_else(wrong)?;
    let zone = i32::try_from(offset.unwrap_or(0))
        .ok()
        .and_then(FixedOffset::east_opt)
        .ok_or_else(wrong)?;
    let moment = clock
        .naive_utc()
        .and_local_timezone(zone)
        .single()
        .ok_or_else(wrong)?;
    let mut written = String::new();
    write!(written, "{}", moment.format_with_items(items.iter())).map_err(|_| wrong())?;
    Ok(written)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn as_python_writes_them() {
        for (text, pattern, written) in [
            ("2024-05-01", "%d.%m.%Y", "01.05.2024"),
            ("2024-05-01 10:00:00.25", "%H:%M:%S.%f", "10:00:00.250000"),
            (
                "2024-05-01T10:00:00Z",
                "%Y-%m-%dT%H:%M:%S%z",
                "2024-05-01T10:00:00+0000",
            ),
            ("2024-05-01T10:00:00+02:00", "%H:%M %z", "10:00 +0200"),
            ("2024-05-01T10:00:00", "%H:%M%z", "10:00"),
            ("2024-05-01T10:00:00Z", "%H %Z 100%%", "10 UTC 100%"),
        ] {
            assert_eq!(formatted(text, pattern).unwrap(), written, "{text} {pattern}");
        }
        assert!(formatted("yesterday", "%Y").is_err());
        assert!(formatted("2024-05-01", "%Q").is_err());
        assert!(
            formatted(&now(Utc::now()), "%Y-%m-%d")
                .unwrap()
                .starts_with(&today(Utc::now())[..4])
        );
    }
}
