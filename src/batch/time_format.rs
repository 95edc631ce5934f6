//! Dates and times in the format that a column declares.

use std::sync::Arc;

use chrono::format::{Fixed, Item, Parsed, parse};
use chrono::{NaiveDate, NaiveTime};
use sequor_planner::ops::TimeFormat;

use super::cell::{self, Cell};
use super::clock::Clock;

/// Reads dates and times written in one format.
#[derive(Debug, Clone)]
pub struct TimeReader {
    format: TimeFormat,
    /// The parts of the patterns to be tried, one after the other.
    patterns: Arc<Vec<Vec<Item<'static>>>>,
}

/// The spellings of ISO 8601 besides those that databases write.
const ISO_8601: [&str; 9] = [
    "%Y%m%dT%H%M%S%.f%#z",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M%#z",
    "%Y%m%dT%H%M",
    "%Y%m%d",
    "%G-W%V-%u",
    "%GW%V%u",
    "%Y-%j",
    "%Y%j",
];

/// The last second that seconds since 1970 are taken for: the end of the year 9999.
const LAST_SECOND: i128 = 253_402_300_799;

impl TimeReader {
    /// Returns a reader for a format.
    pub fn new(format: &TimeFormat) -> TimeReader {
        let items = |pattern: &str| {
            let items = TimeFormat::items(pattern);
            // As Python: `Z` is an offset.
            items.into_iter().map(zoned).collect()
        };
        let patterns = match format {
            TimeFormat::Strftime(pattern) => vec![items(pattern)],
            TimeFormat::Iso8601 => ISO_8601.iter().map(|pattern| items(pattern)).collect(),
            TimeFormat::Unix | TimeFormat::UnixMs => Vec::new(),
        };
        TimeReader {
            format: format.clone(),
            patterns: Arc::new(patterns),
        }
    }

    /// Returns the format as flows name it.
    pub fn name(&self) -> &str {
        self.format.name()
    }

    /// Returns the moment or clock that a value stands for. The error is what to say behind "does not fit".
    pub fn read(&self, cell: &Cell<'_>) -> Result<Cell<'static>, String> {
        let clock = match self.format {
            TimeFormat::Unix => since_1970(cell, 6)?,
            TimeFormat::UnixMs => since_1970(cell, 3)?,
            TimeFormat::Iso8601 | TimeFormat::Strftime(_) => {
                let text = cell::text(cell);
                let text = text.trim();
                let known = match self.format {
                    TimeFormat::Iso8601 => Clock::read(text).or_else(|| day(text)),
                    _ => None,
                };
                let mut patterns = self.patterns.iter();
                known
                    .or_else(|| patterns.find_map(|items| by(text, items)))
                    .ok_or_else(|| format!(" in the format `{}`", self.format.name()))?
            }
        };
        Ok(Cell::Clock(clock.micros, clock.offset))
    }
}

/// Seconds (`digits`: 6) or milliseconds (3) since 1970, and their fraction.
fn since_1970(cell: &Cell<'_>, digits: u8) -> Result<Clock, String> {
    let name = if digits == 6 { "unix" } else { "unix_ms" };
    let wrong = || format!(" in the format `{name}`");
    let units = cell::decimal(cell, 38, i8::try_from(digits).unwrap_or(6)).map_err(|_| wrong())?;
    if units.abs() > LAST_SECOND * 1_000_000 {
        let hint = match digits {
            6 => ": it is beyond the year 9999; milliseconds are `unix_ms`",
            _ => ": it is beyond the year 9999",
        };
        return Err(format!("{}{hint}", wrong()));
    }
    Ok(Clock {
        micros: i64::try_from(units).map_err(|_| wrong())?,
        offset: Some(0),
    })
}

fn zoned(item: Item<'static>) -> Item<'static> {
    match item {
        Item::Fixed(Fixed::TimezoneOffset | Fixed::TimezoneOffsetColon) => {
            Item::Fixed(Fixed::TimezoneOffsetZ)
        }
        item => item,
    }
}

fn day(text: &str) -> Option<Clock> {
    let days = cell::date(&Cell::Text(text.into())).ok()?;
    Some(Clock {
        micros: i64::from(days) * 86_400_000_000,
        offset: None,
    })
}

/// A text by the parts of a pattern; a time alone is one of 1970-01-01.
fn by(text: &str, items: &[Item<'static>]) -> Option<Clock> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).ok()?;
    let date = parsed.to_naive_date().ok();
    let time = parsed.to_naive_time().ok();
    let seconds = parsed.timestamp();
    let clock = match (date, time, seconds) {
        (Some(date), time, _) => date.and_time(time.unwrap_or(NaiveTime::MIN)),
        (None, Some(time), None) => NaiveDate::default().and_time(time),
        (None, _, _) => parsed.to_naive_datetime_with_offset(0).ok()?,
    };
    let offset = parsed.offset().map(i64::from);
    Some(Clock {
        micros: clock.and_utc().timestamp_micros(),
        offset: offset.or(seconds.map(|_| 0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, cell: Cell<'_>) -> Result<(i64, Option<i64>), String> {
        let format = TimeFormat::read(format)?;
        match TimeReader::new(&format).read(&cell)? {
            Cell::Clock(micros, offset) => Ok((micros, offset)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn formats() {
        // 2024-05-01 10:00:00 UTC
        let noon = 1_714_557_600_000_000;
        let text = |text: &'static str| Cell::Text(text.into());
        let number = |text: &'static str| Cell::Number(text.into());
        for (format, cell, micros, offset) in [
            ("unix", number("1714557600"), noon, Some(0)),
            ("unix", number("1.7145576e9"), noon, Some(0)),
            ("unix", text("1714557600.25"), noon + 250_000, Some(0)),
            ("unix_ms", number("1714557600250"), noon + 250_000, Some(0)),
            ("unix_ms", number("1714557600000.5"), noon + 500, Some(0)),
            ("unix", number("-1"), -1_000_000, Some(0)),
            ("%m/%d/%Y %H:%M", text("05/01/2024 10:00"), noon, None),
            (
                "%a, %d %b %Y %H:%M:%S GMT",
                text("Wed, 01 May 2024 10:00:00 GMT"),
                noon,
                None,
            ),
            (
                "%Y-%m-%dT%H:%M:%S%z",
                text("2024-05-01T10:00:00+0200"),
                noon,
                Some(7200),
            ),
            ("%Y-%m-%dT%H:%M:%S%z", text("2024-05-01T10:00:00Z"), noon, Some(0)),
            (
                "%Y-%m-%d %H:%M:%S.%f",
                text("2024-05-01 10:00:00.25"),
                noon + 250_000,
                None,
            ),
            ("%d.%m.%y", text("01.05.24"), noon - 36_000_000_000, None),
            ("%I:%M %p", text("10:00 AM"), 36_000_000_000, None),
            ("iso8601", text("2024-05-01T10:00:00Z"), noon, Some(0)),
            ("iso8601", text("20240501T100000Z"), noon, Some(0)),
            (
                "iso8601",
                text("20240501T100000.5+0200"),
                noon + 500_000,
                Some(7200),
            ),
            ("iso8601", text("2024-W18-3"), noon - 36_000_000_000, None),
            ("iso8601", text("2024-122"), noon - 36_000_000_000, None),
            ("iso8601", number("20240501"), noon - 36_000_000_000, None),
        ] {
            let shown = format!("{format} {cell:?}");
            assert_eq!(read(format, cell), Ok((micros, offset)), "{shown}");
        }
        for (format, cell) in [
            ("unix", text("yesterday")),
            ("unix", number("1714557600000")),
            ("unix", Cell::Bool(true)),
            ("iso8601", text("05/01/2024")),
            ("%m/%d/%Y", text("2024-05-01")),
            ("%m/%d/%Y", text("05/01/2024 10:00")),
            ("%m/%d/%Y", text("13/41/2024")),
        ] {
            let shown = format!("{format} {cell:?}");
            assert!(read(format, cell).is_err(), "{shown}");
        }
        assert!(TimeFormat::read("yesterday").is_err());
        assert!(TimeFormat::read("%Q").is_err());
    }
}
