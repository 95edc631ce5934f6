//! Timestamps as text writes them.

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::Date32Type;

/// A date and the time of a clock, as ISO 8601 writes them.
pub struct Clock {
    /// Microseconds since 1970-01-01 of the clock as written.
    pub micros: i64,
    /// Seconds east of UTC.
    pub offset: Option<i64>,
}

impl Clock {
    /// `2024-01-02T03:04:05.678+02:00`, with `T` or a blank; seconds and offset may be left out, and the offset may be
    /// `Z`, `+02`, `+0200` or `+02:00`.
    pub fn read(text: &str) -> Option<Clock> {
        Clock::read_by(text, 5)
    }

    /// Reads the same; what is finer than a microsecond is cut off.
    pub fn read_down(text: &str) -> Option<Clock> {
        Clock::read_by(text, 0)
    }

    /// `added`: what is added to tenths of a microsecond before they are cut off.
    fn read_by(text: &str, added: i64) -> Option<Clock> {
        let (day, rest) = (text.get(..10)?, text.get(10..)?);
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let days =
            Date32Type::parse(day).filter(|_| day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-')?;
        let split = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')))
            .unwrap_or(rest.len());
        let (clock, zone) = rest.split_at(split);
        let (clock, fraction) = match clock.split_once(['.', ',']) {
            Some((clock, fraction)) if !fraction.is_empty() => (clock, fraction),
            Some(_) => return None,
            None => (clock, ""),
        };
        let parts: Vec<&str> = clock.split(':').collect();
        let two = |part: &str, most: i64| -> Option<i64> {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|n| digits && *n <= most)
        };
        let seconds = match parts.as_slice() {
            [hour, minute] if fraction.is_empty() => two(hour, 23)? * 3600 + two(minute, 59)? * 60,
            [hour, minute, second] => two(hour, 23)? * 3600 + two(minute, 59)? * 60 + two(second, 59)?,
            _ => return None,
        };
        let micros = i64::from(days)
            .checked_mul(86_400_000_000)?
            .checked_add(seconds * 1_000_000 + Clock::fraction(fraction, added)?)?;
        Some(Clock {
            micros,
            offset: Clock::offset(zone.trim_start())?,
        })
    }

    /// Microseconds of the digits behind the point.
    fn fraction(digits: &str, added: i64) -> Option<i64> {
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let padded: String = digits.chars().chain("0000000".chars()).take(7).collect();
        let tenths: i64 = padded.parse().ok()?;
        Some((tenths + added) / 10)
    }

    /// None inside: there is no offset.
    fn offset(zone: &str) -> Option<Option<i64>> {
        if zone.is_empty() {
            return Some(None);
        }
        if zone.eq_ignore_ascii_case("z") || zone.eq_ignore_ascii_case("utc") {
            return Some(Some(0));
        }
        let sign = match zone.as_bytes()[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let digits = zone[1..].replacen(':', "", 1);
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (hours, minutes) = match digits.len() {
            2 => (digits.parse::<i64>().ok()?, 0),
            4 => (digits[..2].parse::<i64>().ok()?, digits[2..].parse::<i64>().ok()?),
            _ => return None,
        };
        (hours <= 15 && minutes <= 59).then_some(Some(sign * (hours * 3600 + minutes * 60)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_as_written() {
        let noon = 1_704_196_800_000_000;
        for (text, offset) in [
            ("2024-01-02T12:00:00", None),
            ("2024-01-02 12:00", None),
            ("2024-01-02T12:00:00.000000Z", Some(0)),
            ("2024-01-02T12:00:00+02:00", Some(7200)),
            ("2024-01-02T12:00:00+0200", Some(7200)),
            ("2024-01-02 12:00:00-05", Some(-18000)),
            ("2024-01-02T12:00:00,0000004", None),
        ] {
            let clock = Clock::read(text).unwrap();
            assert_eq!((clock.micros, clock.offset), (noon, offset), "{text}");
        }
        assert_eq!(
            Clock::read("2024-01-02T12:00:00.1234567").unwrap().micros,
            noon + 123_457
        );
        for text in [
            "2024-01-02",
            "2024-01-02T25:00:00",
            "2024-01-02T12",
            "Jan 2, 2024 12:00",
            "20240102T120000",
            "2024-01-02 12:00:00 America/New_York",
            "2024-01-02 12:00 PM",
            "2024-01-02T12:00:00+2",
        ] {
            assert!(Clock::read(text).is_none(), "{text}");
        }
    }
}
