//! Dates and times in the format that a column declares.

use std::sync::Arc;

use chrono::format::{Fixed, Item, Parsed, parse};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime};
use sequor_planner::ops::TimeFormat;

use super::cell::{self, Cell};
use super::clock::Clock;

/// Reads dates and times written in one format.
#[derive(Debug, Clone)]
pub struct TimeReader {
    format: TimeFormat,
    /// The patterns to be tried, one after the other.
    patterns: Arc<Vec<Pattern>>,
}

#[derive(Debug)]
struct Pattern {
    items: Vec<Item<'static>>,
    /// The names of zones are those of UTC.
    utc: bool,
    /// Years of two digits: 69 and later are of the last century, as in Python.
    short_year: bool,
}

/// The spellings of ISO 8601 besides those that databases write.
const ISO_8601: [&str; 14] = [
    "%Y%m%dT%H%M%S%.f%#z",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M%#z",
    "%Y%m%dT%H%M",
    "%Y-%m-%dT%H%M%S%.f%#z",
    "%Y-%m-%dT%H%M%S%.f",
    "%Y-%m-%dT%H%M",
    "%Y-%m-%dT%H",
    "%Y%m%d",
    "%G-W%V-%u",
    "%GW%V%u",
    "%H:%M:%S%.f",
    "%H:%M",
    "T%H:%M:%S%.f",
];

/// Days of the year, by how long their texts are: three digits, or they would be months.
const ORDINAL: [(&str, usize); 2] = [("%Y-%j", 8), ("%Y%j", 7)];

/// The last second that seconds since 1970 are taken for: the end of the year 9999.
const LAST_SECOND: i128 = 253_402_300_799;

impl TimeReader {
    /// Returns a reader for a format.
    pub fn new(format: &TimeFormat) -> TimeReader {
        let patterns = match format {
            TimeFormat::Strftime(pattern) if pattern.contains("%Z") => ["UTC", "GMT", "Z"]
                .iter()
                .map(|zone| Pattern::new(&pattern.replace("%Z", zone), true))
                .collect(),
            TimeFormat::Strftime(pattern) => vec![Pattern::new(pattern, false)],
            TimeFormat::Iso8601 => ISO_8601
                .iter()
                .map(|pattern| Pattern::new(pattern, false))
                .collect(),
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
                    TimeFormat::Iso8601 => Clock::read(text).or_else(|| day(text)).or_else(|| ordinal(text)),
                    _ => None,
                };
                if let Some(clock) = known {
                    return Ok(Cell::Clock(clock.micros, clock.offset));
                }
                let mut patterns = self.patterns.iter();
                return patterns
                    .find_map(|pattern| pattern.read(text))
                    .ok_or_else(|| format!(" in the format `{}`", self.format.name()));
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

/// A day of the year.
fn ordinal(text: &str) -> Option<Clock> {
    let (pattern, _) = ORDINAL.iter().find(|(_, length)| text.len() == *length)?;
    match Pattern::new(pattern, false).read(text)? {
        Cell::Clock(micros, offset) => Some(Clock { micros, offset }),
        _ => None,
    }
}

impl Pattern {
    fn new(pattern: &str, utc: bool) -> Pattern {
        Pattern {
            // As Python: `Z` is an offset.
            items: TimeFormat::items(pattern).into_iter().map(zoned).collect(),
            utc,
            short_year: pattern.contains("%y"),
        }
    }

    /// Reads a text: a clock, or the text of a time that has no day.
    fn read(&self, text: &str) -> Option<Cell<'static>> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        if parsed.hour_mod_12().is_some() && parsed.minute().is_none() {
            parsed.set_minute(0).ok()?;
        }
        let has_time = parsed.hour_mod_12().is_some() || parsed.hour_div_12().is_some();
        let time = match has_time || parsed.minute().is_some() || parsed.second().is_some() {
            // A part that says nothing by itself is no midnight.
            true => Some(parsed.to_naive_time().ok()?),
            false => None,
        };
        let seconds = parsed.timestamp();
        let clock = match (parsed.to_naive_date().ok(), time) {
            (Some(date), time) => self.in_century(date)?.and_time(time.unwrap_or(NaiveTime::MIN)),
            (None, Some(time)) => {
                return Some(Cell::Text(time.format("%H:%M:%S%.f").to_string().into()));
            }
            (None, None) => DateTime::from_timestamp(seconds?, 0)?.naive_utc(),
        };
        let utc = self.utc || seconds.is_some();
        let offset = parsed.offset().map(i64::from).or(utc.then_some(0));
        Some(Cell::Clock(clock.and_utc().timestamp_micros(), offset))
    }

    /// A date of a year that is written in full.
    fn in_century(&self, date: NaiveDate) -> Option<NaiveDate> {
        match date.year() {
            2069 if self.short_year => date.with_year(1969),
            ..1000 => None,
            _ => Some(date),
        }
    }
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
            ("%Y-%m-%d %H", text("2024-05-01 10"), noon, None),
            ("%Y-%m-%d %H:%M %Z", text("2024-05-01 10:00 UTC"), noon, Some(0)),
            ("%y%m%d", text("690101"), -31_536_000_000_000, None),
            ("iso8601", text("2024-05-01T10"), noon, None),
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
            ("%d/%m/%Y", text("01/05/24")),
            ("%Y-%m-%d %H:%M %Z", text("2024-05-01 10:00 EST")),
            ("iso8601", text("2024-05")),
            ("iso8601", text("2024-13")),
        ] {
            let shown = format!("{format} {cell:?}");
            assert!(read(format, cell).is_err(), "{shown}");
        }
        assert!(TimeFormat::read("yesterday").is_err());
        for pattern in [
            "%Q",
            "%Y-%m-%d %I:%M",
            "%Y-%m-%d %M",
            "%Y-%m-%d %H:%S",
            "%Y-%m-%d %p",
        ] {
            assert!(TimeFormat::read(pattern).is_err(), "{pattern}");
        }
        let time = TimeFormat::read("%I:%M %p").map(|format| TimeReader::new(&format));
        let time = time.and_then(|reader| reader.read(&text("10:30 PM")));
        assert!(matches!(time, Ok(Cell::Text(text)) if text == "22:30:00"));
    }
}
