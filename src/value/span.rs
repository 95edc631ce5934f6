//! Spans of time as databases write them: `1 year 2 mons 3 days 04:05:06.789`.

use chrono::TimeDelta;

const DAY: i64 = 86_400_000_000;

/// Returns a span that a database wrote, with a month of 30 days and a year of 365, as drivers for Python have it;
/// none where the text is no such span.
pub fn read(text: &str) -> Option<TimeDelta> {
    let mut micros: i64 = 0;
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word.contains(':') {
            micros = micros.checked_add(clock(word)?)?;
            continue;
        }
        let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
        let count: i64 = whole.parse().ok()?;
        let unit = words.next()?.trim_end_matches(',');
        let each = match unit.trim_end_matches('s') {
            "year" => 365 * DAY,
            "mon" | "month" => 30 * DAY,
            "day" => DAY,
            "hour" => DAY / 24,
            "min" | "minute" => 60_000_000,
            "sec" | "second" => 1_000_000,
            _ => return None,
        };
        micros = micros.checked_add(count.checked_mul(each)?)?;
        if !fraction.is_empty() {
            let part: f64 = format!("0.{fraction}").parse().ok()?;
            let part = (part * each as f64) as i64;
            micros = micros.checked_add(if whole.starts_with('-') { -part } else { part })?;
        }
    }
    (!text.trim().is_empty()).then(|| TimeDelta::microseconds(micros))
}

/// `[-]hours:minutes[:seconds[.fraction]]` in microseconds.
fn clock(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let (seconds, fraction) = match parts.next() {
        None => (0, String::new()),
        Some(seconds) => {
            let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            (seconds.parse().ok()?, format!("{fraction:0<6.6}"))
        }
    };
    let fraction: i64 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let seconds = hours
        .checked_mul(3600)?
        .checked_add(minutes * 60)?
        .checked_add(seconds)?;
    let micros = seconds.checked_mul(1_000_000)?.checked_add(fraction)?;
    Some(if negative { -micros } else { micros })
}

/// Returns a span as databases read it: days and seconds.
pub fn interval_text(span: TimeDelta) -> String {
    let micros = span.num_microseconds().unwrap_or(i64::MAX);
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    format!(
        "{days} days {:02}:{:02}:{:02}.{:06}",
        rest / 3_600_000_000,
        rest / 60_000_000 % 60,
        rest / 1_000_000 % 60,
        rest % 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_databases_write_them() {
        for (text, micros) in [
            ("1 day 02:00:00", DAY + 7_200_000_000),
            ("1 day", DAY),
            ("-1 days +02:03:00", -DAY + 7_380_000_000),
            ("-00:00:01.5", -1_500_000),
            (
                "1 year 2 mons 3 days 04:05:06.789",
                (365 + 60 + 3) * DAY + 14_706_789_000,
            ),
            ("1 months 2 days", 32 * DAY),
            ("00:00:00", 0),
        ] {
            assert_eq!(read(text), Some(TimeDelta::microseconds(micros)), "{text}");
        }
        for text in ["", "P1D", "soon", "1", "1 week-ish", "@ 1 day"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for micros in [0, 1, -1, DAY, -DAY - 1, 123_456_789_012] {
            let span = TimeDelta::microseconds(micros);
            assert_eq!(read(&interval_text(span)), Some(span));
        }
    }
}
