//! What plain YAML scalars mean: in YAML 1.2 as ruamel.yaml reads it (flows, sources, projects, kept variables), and in
//! YAML 1.1 as PyYAML reads it (environments).

use std::sync::Arc;

use serde_json::Number;

use super::tree::Scalar;

/// The version of YAML that a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.1, as PyYAML reads it.
    V11,
    /// 1.2, as ruamel.yaml reads it.
    V12,
}

/// Returns the meaning of a plain scalar; none: it is text.
pub fn plain(text: &str, version: Version) -> Option<Scalar> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Scalar::Null),
        "true" | "True" | "TRUE" => return Some(Scalar::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Scalar::Bool(false)),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" if version == Version::V11 => {
            return Some(Scalar::Bool(true));
        }
        "no" | "No" | "NO" | "off" | "Off" | "OFF" if version == Version::V11 => {
            return Some(Scalar::Bool(false));
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    integer(text, version)
        .or_else(|| float(text, version))
        .or_else(|| moment(text, version))
}

/// Returns the meaning of a plain scalar in YAML 1.2; none: it is text.
pub fn plain_scalar(text: &str) -> Option<Scalar> {
    plain(text.trim(), Version::V12)
}

/// Tells whether a tag of YAML's own says what a scalar means.
pub fn is_kind(tag: &str) -> bool {
    ["null", "bool", "int", "float", "timestamp", "binary"].contains(&tag)
}

/// Returns the meaning of a scalar with a tag of YAML's own; none where the text is none of it.
pub fn tagged(tag: &str, text: &str, version: Version) -> Option<Scalar> {
    match tag {
        "null" => Some(Scalar::Null),
        "bool" => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(Scalar::Bool(true)),
            "false" | "no" | "off" => Some(Scalar::Bool(false)),
            _ => None,
        },
        "int" => integer(text.trim(), version),
        "float" => {
            let text = text.trim();
            let other = || {
                let digits = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
                let number: f64 = text.replace('_', "").parse().ok().filter(|_| digits)?;
                Number::from_f64(number).map(Scalar::Number)
            };
            float(text, version).or_else(other)
        }
        "timestamp" => moment(text.trim(), version),
        "binary" => {
            let base64: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            Some(typed("bytes", &base64))
        }
        _ => None,
    }
}

fn typed(kind: &'static str, text: &str) -> Scalar {
    Scalar::Typed {
        kind,
        text: Arc::from(text),
    }
}

fn integer(text: &str, version: Version) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let all = |text: &str, radix: u32| {
        text.starts_with(|c: char| c.is_digit(radix)) && text.chars().all(|c| c.is_digit(radix) || c == '_')
    };
    let (digits, radix) = if let Some(hex) = digits.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(octal) = digits.strip_prefix("0o").filter(|_| version == Version::V12) {
        (octal, 8)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        (binary, 2)
    } else if version == Version::V11 && digits.len() > 1 && digits.starts_with('0') {
        (&digits[1..], 8)
    } else if version == Version::V11 && digits.contains(':') {
        return sexagesimal(digits).map(|n| Scalar::Number(Number::from(if negative { -n } else { n })));
    } else {
        (digits, 10)
    };
    if !all(digits, radix) {
        return None;
    }
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    let Ok(value) = i128::from_str_radix(&digits, radix) else {
        let whole = digits.trim_start_matches('0');
        let sign = if negative { "-" } else { "" };
        return (radix == 10).then(|| typed("integer", &format!("{sign}{whole}")));
    };
    let value = if negative { -value } else { value };
    Some(match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Scalar::Number(value.into()),
        (_, Ok(value)) => Scalar::Number(value.into()),
        _ => typed("integer", &value.to_string()),
    })
}

/// `12:30:45`: digits to the base of 60, as YAML 1.1 has them.
fn sexagesimal(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let first = parts
        .next()
        .filter(|p| p.bytes().all(|b| b.is_ascii_digit()) && !p.is_empty())?;
    let mut value: i64 = first.parse().ok()?;
    for part in parts {
        let digits = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        let next: i64 = part.parse().ok().filter(|n| digits && *n < 60)?;
        value = value.checked_mul(60)?.checked_add(next)?;
    }
    Some(value)
}

fn float(text: &str, version: Version) -> Option<Scalar> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    match rest {
        ".inf" | ".Inf" | ".INF" => return Some(typed("float", if sign == "-" { "-inf" } else { "inf" })),
        ".nan" | ".NaN" | ".NAN" if rest == text => return Some(typed("float", "nan")),
        _ => {}
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    // YAML 1.1 takes no sign before a point.
    let bare = version == Version::V12 || text == rest;
    let some = whole.starts_with(|c: char| c.is_ascii_digit())
        || (whole.is_empty()
            && bare
            && fraction.is_some_and(|f| f.starts_with(|c: char| c.is_ascii_digit())));
    if !some || !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    match (exponent, fraction, version) {
        (None, None, _) => return None,
        // YAML 1.1 wants a point, and a sign before the exponent.
        (Some(_), None, Version::V11) => return None,
        (Some(exponent), _, version) => {
            let signed = exponent.starts_with(['+', '-']);
            let number = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if number.is_empty()
                || !number.bytes().all(|b| b.is_ascii_digit())
                || (!signed && version == Version::V11)
            {
                return None;
            }
        }
        _ => {}
    }
    let plain: String = rest.chars().filter(|c| *c != '_').collect();
    let value: f64 = format!("{sign}{plain}").parse().ok()?;
    Some(match Number::from_f64(value) {
        Some(number) => Scalar::Number(number),
        None => typed("float", if sign == "-" { "-inf" } else { "inf" }),
    })
}

/// A date, or a date and a time: <https://yaml.org/type/timestamp.html>
///
/// ruamel.yaml remembers a `T` between them, and writes it when it prints the value.
fn moment(text: &str, version: Version) -> Option<Scalar> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>, most: u32| {
        let digits = text.get(range)?;
        let value: u32 = digits.parse().ok()?;
        (digits.bytes().all(|b| b.is_ascii_digit()) && value <= most).then_some(value)
    };
    if bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' {
        number(0..4, 9999)?;
        number(5..7, 12)?;
        number(8..10, 31)?;
        return Some(typed("date", text));
    }
    let (day, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start_matches([' ', '\t'])),
        None => return None,
    };
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, date] = parts.as_slice() else {
        return None;
    };
    let digits = |text: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    if !digits(year, 4, 4) || !digits(month, 1, 2) || !digits(date, 1, 2) {
        return None;
    }
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.')))
        .unwrap_or(rest.len());
    let (clock, zone) = (&rest[..end], rest[end..].trim_start());
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let clock: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = clock.as_slice() else {
        return None;
    };
    if !digits(hour, 1, 2) || !digits(minute, 2, 2) || !digits(second, 2, 2) || !digits(fraction, 0, 99) {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    // ruamel.yaml rounds further digits, PyYAML leaves them out.
    let up = version == Version::V12 && fraction.as_bytes().get(6).is_some_and(|digit| *digit > b'4');
    let micros = match micros.parse::<u32>() {
        Ok(count) if up && count < 999_999 => format!("{:06}", count + 1),
        _ => micros,
    };
    let zone = match zone {
        "" => String::new(),
        "Z" | "z" => "+00:00".into(),
        zone => {
            let sign = zone.get(..1).filter(|s| matches!(*s, "+" | "-"))?;
            let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "00"));
            if !digits(hours, 1, 2) || !digits(minutes, 2, 2) {
                return None;
            }
            format!("{sign}{hours:0>2}:{minutes}")
        }
    };
    let spelled = version == Version::V12 && text[day.len()..].starts_with(['T', 't']);
    let text = format!("{year}-{month:0>2}-{date:0>2}T{hour:0>2}:{minute}:{second}.{micros}{zone}");
    Some(typed(if spelled { "stamp" } else { "timestamp" }, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, version: Version) -> String {
        match plain(text, version) {
            None => "text".into(),
            Some(Scalar::Null) => "null".into(),
            Some(Scalar::Bool(b)) => b.to_string(),
            Some(Scalar::Number(n)) => n.to_string(),
            Some(Scalar::Typed { kind, text }) => format!("{kind} {text}"),
            Some(Scalar::Text { .. }) => "text".into(),
        }
    }

    #[test]
    fn scalars_mean_what_the_python_readers_make_of_them() {
        // As ruamel.yaml and PyYAML read them: text, 1.2, 1.1.
        for (text, v12, v11) in [
            ("012", "12", "10"),
            ("0o17", "15", "text"),
            ("0x1F", "31", "31"),
            ("0b11", "3", "3"),
            ("1_000", "1000", "1000"),
            ("12:30:45", "text", "45045"),
            ("yes", "text", "true"),
            ("4e10", "40000000000.0", "text"),
            ("4.0e+10", "40000000000.0", "40000000000.0"),
            ("1.", "1.0", "1.0"),
            (".5", "0.5", "0.5"),
            ("-.inf", "float -inf", "float -inf"),
            ("08", "8", "text"),
            (
                "12345678901234567890123",
                "integer 12345678901234567890123",
                "integer 12345678901234567890123",
            ),
            ("2024-01-31", "date 2024-01-31", "date 2024-01-31"),
            (
                "2024-01-02 03:04:05",
                "timestamp 2024-01-02T03:04:05.000000",
                "timestamp 2024-01-02T03:04:05.000000",
            ),
            ("1.2.3", "text", "text"),
            ("+1", "1", "1"),
            ("-", "text", "text"),
            ("2024-13-40", "text", "text"),
        ] {
            assert_eq!(
                (
                    shown(text, Version::V12).as_str(),
                    shown(text, Version::V11).as_str()
                ),
                (v12, v11),
                "{text}"
            );
        }
    }
}
