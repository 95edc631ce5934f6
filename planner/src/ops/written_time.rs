//! How times are written by patterns of strftime, and how exactly that says when they are.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Utc, Weekday};

use super::TimeFormat;

/// A moment of a month, a quarter and a week that begin at once: 2003-01-27, a Monday, 13:45:56.
const SAMPLE: i64 = 1_043_675_156;

/// How exactly a format says when something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// It names no date: the same comes each day, month or year.
    Recurs,
    /// It names a period that is longer than a day.
    Period,
    /// It names a day, or a moment.
    Day,
}

impl TimeFormat {
    /// Writes a moment by a pattern, with all six digits behind the point, as Python does; none where it has parts that can only be
    /// read.
    pub fn write(pattern: &str, moment: DateTime<Utc>) -> Option<String> {
        use std::fmt::Write;
        let pattern = pattern
            .replace("%%", "\u{0}")
            .replace(".%f", "%.6f")
            .replace("%f", "%6f")
            .replace('\u{0}', "%%");
        let items: Vec<Item<'_>> = StrftimeItems::new(&pattern).collect();
        let mut text = String::new();
        write!(text, "{}", moment.format_with_items(items.iter())).ok()?;
        Some(text)
    }

    /// Returns how exactly it says when something is.
    pub fn precision(&self) -> Precision {
        let TimeFormat::Strftime(pattern) = self else {
            return Precision::Day;
        };
        let read = || {
            let text = TimeFormat::write(pattern, DateTime::from_timestamp(SAMPLE, 0)?)?;
            let mut parsed = Parsed::new();
            parse(&mut parsed, &text, TimeFormat::items(pattern).iter()).ok()?;
            Some(parsed)
        };
        let Some(parsed) = read() else {
            return Precision::Recurs;
        };
        let is_day = |parsed: &Parsed| {
            parsed.to_naive_date().is_ok() || parsed.to_naive_datetime_with_offset(0).is_ok()
        };
        if is_day(&parsed) {
            return Precision::Day;
        }
        let with = |set: &dyn Fn(&mut Parsed) -> bool| {
            let mut parsed = parsed.clone();
            set(&mut parsed) && is_day(&parsed)
        };
        let is_period = with(&|parsed| parsed.set_day(27).is_ok())
            || with(&|parsed| parsed.set_month(1).is_ok() && parsed.set_day(27).is_ok())
            || with(&|parsed| parsed.set_weekday(Weekday::Mon).is_ok());
        match is_period {
            true => Precision::Period,
            false => Precision::Recurs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_name_days_periods_or_none() {
        let of = |pattern: &str| TimeFormat::Strftime(pattern.to_string()).precision();
        for pattern in [
            "%Y-%m-%d",
            "%Y-%m-%dT%H:%M:%S.%fZ",
            "%Y-%m-%dT%H:%M:%S%z",
            "%d/%m/%Y",
            "%Y%j",
            "%G-W%V-%u",
            "from:%s",
            "%F %T",
            "%y%m%d",
        ] {
            assert_eq!(of(pattern), Precision::Day, "{pattern}");
        }
        for pattern in ["%Y-%m", "%Y%m", "%Y-%m-01", "%Y", "%G-W%V", "%Y-W%W", "%Y-%U"] {
            assert_eq!(of(pattern), Precision::Period, "{pattern}");
        }
        for pattern in ["%H:%M", "%R", "%T", "%d", "%m/%d", "%j", "%C"] {
            assert_eq!(of(pattern), Precision::Recurs, "{pattern}");
        }
    }

    #[test]
    fn what_is_written_has_all_digits() {
        let at = DateTime::from_timestamp(SAMPLE, 0).unwrap_or_default();
        let written = |pattern: &str| TimeFormat::write(pattern, at);
        assert_eq!(written("%S.%fZ").as_deref(), Some("56.000000Z"));
        assert_eq!(written("%Y%z").as_deref(), Some("2003+0000"));
    }
}
