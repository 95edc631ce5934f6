//! Values as Python's `repr` writes them: what Jinja2 prints of lists and maps.

use std::fmt::Write;

use chrono::{Datelike, FixedOffset, NaiveDateTime, TimeDelta, Timelike};

use crate::value::{Value, float_text};

impl Value {
    /// Returns the value as Python's `repr` writes it.
    pub fn repr(&self) -> String {
        let mut out = String::new();
        write(self, &mut out);
        out
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Text(text) => quoted(text, out),
        Value::Float(n) => out.push_str(&float_text(*n)),
        Value::Number(text) => {
            let _ = write!(out, "Decimal('{text}')");
        }
        Value::Bytes(bytes) => byte_string(bytes, out),
        Value::Date(d) => {
            let _ = write!(out, "datetime.date({}, {}, {})", d.year(), d.month(), d.day());
        }
        Value::Time(t) => {
            let _ = write!(out, "datetime.time({}, {}", t.hour(), t.minute());
            seconds(t.second(), t.nanosecond() / 1000, out);
            out.push(')');
        }
        Value::Timestamp(t) => {
            moment(t, out);
            out.push(')');
        }
        Value::Instant(t) => {
            moment(&t.naive_local(), out);
            zone(t.offset(), out);
            out.push(')');
        }
        Value::Stamp(t, offset) => {
            let mut text = String::new();
            moment(t, &mut text);
            out.push_str(&text.replace("datetime.datetime(", "TimeStamp("));
            offset.iter().for_each(|offset| zone(offset, out));
            out.push(')');
        }
        Value::Duration(span) => {
            let micros = span.num_microseconds().unwrap_or(i64::MAX);
            let day = 86_400_000_000;
            let parts = [
                ("days", micros.div_euclid(day)),
                ("seconds", micros.rem_euclid(day) / 1_000_000),
                ("microseconds", micros.rem_euclid(1_000_000)),
            ];
            let parts = parts.iter().filter(|(_, n)| *n != 0);
            let parts: Vec<String> = parts.map(|(name, n)| format!("{name}={n}")).collect();
            let parts = if parts.is_empty() {
                "0".to_string()
            } else {
                parts.join(", ")
            };
            let _ = write!(out, "datetime.timedelta({parts})");
        }
        Value::Uuid(id) => {
            let _ = write!(out, "UUID('{id}')");
        }
        Value::Pairs(pairs) => {
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                separate(at, out);
                write(key, out);
                out.push_str(": ");
                write(value, out);
            }
            out.push('}');
        }
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                separate(at, out);
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let entries = entries.iter().map(|(name, value)| (name.as_str(), value.clone()));
            map(entries, out);
        }
        Value::Row(row) => map(row.iter(), out),
        Value::Object(object) => match object.data() {
            Ok(data) => write(&data, out),
            Err(_) => out.push_str(&object.text()),
        },
        value => out.push_str(&value.to_text()),
    }
}

fn separate(at: usize, out: &mut String) {
    if at > 0 {
        out.push_str(", ");
    }
}

fn map<'a>(entries: impl Iterator<Item = (&'a str, Value)>, out: &mut String) {
    out.push('{');
    for (at, (name, value)) in entries.enumerate() {
        separate(at, out);
        quoted(name, out);
        out.push_str(": ");
        write(&value, out);
    }
    out.push('}');
}

fn moment(t: &NaiveDateTime, out: &mut String) {
    let (day, time) = (t.date(), t.time());
    let _ = write!(
        out,
        "datetime.datetime({}, {}, {}, {}, {}",
        day.year(),
        day.month(),
        day.day(),
        time.hour(),
        time.minute()
    );
    seconds(time.second(), time.nanosecond() / 1000, out);
}

fn zone(offset: &FixedOffset, out: &mut String) {
    match offset.local_minus_utc() {
        0 => out.push_str(", tzinfo=datetime.timezone.utc"),
        seconds => {
            let span = Value::Duration(TimeDelta::seconds(seconds.into()));
            let _ = write!(out, ", tzinfo=datetime.timezone({})", span.repr());
        }
    }
}

/// Python leaves out what is zero at the end.
fn seconds(seconds: u32, micros: u32, out: &mut String) {
    if seconds > 0 || micros > 0 {
        let _ = write!(out, ", {seconds}");
    }
    if micros > 0 {
        let _ = write!(out, ", {micros}");
    }
}

/// Single quotes, unless the text has some and no double ones.
fn quote(single: bool, double: bool) -> char {
    if single && !double { '"' } else { '\'' }
}

fn quoted(text: &str, out: &mut String) {
    let quote = quote(text.contains('\''), text.contains('"'));
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// Whether Python shows a character as it is: not what controls, formats or separates, save for the blank.
fn printable(c: char) -> bool {
    let format = matches!(
        u32::from(c),
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e
            | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe0001 | 0xe0020..=0xe007f
    );
    let private = matches!(u32::from(c), 0xe000..=0xf8ff | 0xf0000..=0x10ffff);
    c == ' ' || !(c.is_control() || c.is_whitespace() || format || private)
}

fn byte_string(bytes: &[u8], out: &mut String) {
    let quote = quote(bytes.contains(&b'\''), bytes.contains(&b'"'));
    out.push('b');
    out.push(quote);
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if char::from(*byte) == quote => {
                out.push('\\');
                out.push(quote);
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(quote);
}
