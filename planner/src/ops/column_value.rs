//! Where the value of a column comes from, and how it is written there.

use chrono::format::{Fixed, Item, Numeric, StrftimeItems};
use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{Prop, each_prop_of_variants};
use crate::syntax::data_path::{self, DataPath};
use crate::syntax::{Form, Key, Keys, Shape};

/// Where the value of a column comes from, where it is not the field of the column's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnValue {
    /// A path into the row.
    Path(DataPath),
    /// One value for all rows of a response.
    Given(Prop),
}

each_prop_of_variants! { ColumnValue { @Given, } else { Path } }

/// How a date or time is written in the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// Seconds since 1970-01-01 UTC.
    Unix,
    /// Milliseconds since then.
    UnixMs,
    Iso8601,
    /// A pattern of strftime, as Python has them.
    Strftime(String),
}

impl TimeFormat {
    /// Reads a format as flows name it.
    ///
    /// # Errors
    /// A text that is neither a name of a format nor a pattern.
    pub fn read(text: &str) -> Result<TimeFormat, String> {
        let format = match text {
            "unix" => TimeFormat::Unix,
            "unix_ms" => TimeFormat::UnixMs,
            "iso8601" => TimeFormat::Iso8601,
            pattern if !pattern.contains('%') => {
                return Err(format!("`{text}` is not a format"));
            }
            pattern => TimeFormat::Strftime(pattern.to_string()),
        };
        if let TimeFormat::Strftime(pattern) = &format {
            let items = TimeFormat::items(pattern);
            if items.iter().any(|item| matches!(item, Item::Error)) {
                return Err(format!("`{text}` is not a pattern of strftime"));
            }
            complete(&items).map_err(|why| format!("`{text}` {why}"))?;
        }
        Ok(format)
    }

    /// Returns the parts of a pattern. Its `%f` means digits behind the point, as in Python, and `%z` takes `Z`.
    pub fn items(pattern: &str) -> Vec<Item<'static>> {
        let pattern = pattern
            .replace("%%", "\u{0}")
            .replace(".%f", "%.f")
            .replace("%f", "%6f")
            .replace("%z", "%#z")
            .replace('\u{0}', "%%");
        StrftimeItems::new(&pattern).map(Item::to_owned).collect()
    }

    /// Returns the format as flows name it.
    pub fn name(&self) -> &str {
        match self {
            TimeFormat::Unix => "unix",
            TimeFormat::UnixMs => "unix_ms",
            TimeFormat::Iso8601 => "iso8601",
            TimeFormat::Strftime(pattern) => pattern,
        }
    }
}

/// Checks that the parts of a pattern say a time together, where they say one.
///
/// # Errors
/// What is missing.
fn complete(items: &[Item<'_>]) -> Result<(), &'static str> {
    let has = |wanted: &[Numeric]| {
        let is = |item: &Item<'_>| matches!(item, Item::Numeric(numeric, _) if wanted.contains(numeric));
        items.iter().any(is)
    };
    let half = items
        .iter()
        .any(|item| matches!(item, Item::Fixed(Fixed::LowerAmPm | Fixed::UpperAmPm)));
    let (of_12, of_24) = (has(&[Numeric::Hour12]), has(&[Numeric::Hour]));
    match (of_12, half) {
        (true, false) if !of_24 => {
            return Err("has hours up to 12 and not which half of the day: add `%p`, or write `%H`");
        }
        (false, true) if !of_24 => return Err("has `%p` without the hour: add `%I`"),
        _ => {}
    }
    if has(&[Numeric::Minute]) && !of_12 && !of_24 {
        return Err("has minutes without the hour: add `%H`");
    }
    if has(&[Numeric::Second]) && !has(&[Numeric::Minute]) {
        return Err("has seconds without the minutes: add `%M`");
    }
    Ok(())
}

/// The keys that say where a column's value comes from.
pub static COLUMN_VALUE: Shape = Shape {
    what: "a column's value",
    doc: "Where the value of a column comes from.",
    with: &[],
    keys: &[
        Key::new(
            "path",
            Form::JsonPath,
            "Where the value is in the row, when it is not the field of the column's name: `user.login`, `tags[0]`, `lines[*].sku` (a list).",
        ),
        Key::new(
            "value",
            Form::Value,
            "The value, the same for all rows of a response: `\"{{ var('shop')['id'] }}\"`, `value_expression: now()`.",
        ),
        Key::new(
            "format",
            Form::Label,
            "How dates and times are written: `unix` (seconds since 1970), `unix_ms`, `iso8601`, or a pattern of strftime like `%m/%d/%Y %H:%M`.",
        ),
    ],
};

/// Where a value comes from and how it is written, as the keys say.
pub fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> (Option<ColumnValue>, Option<TimeFormat>) {
    let has_value = keys.has("value");
    if keys.has("path") && has_value {
        let message = "both `path` and `value` are given";
        d.error(Code::BothForms, keys.place_of("path").cloned(), message)
            .help("keep one: the value is in the row, or it is the same for all rows");
    }
    let given = match has_value {
        true => keys.prop("value", d).map(ColumnValue::Given),
        false => {
            let path = data_path::read(keys, "path", d);
            if let Some(path) = &path
                && path.head().is_none()
            {
                let message = format!("the path `{path}` of a column does not begin with a key of the row");
                d.error(Code::BadValue, keys.place_of("path").cloned(), message)
                    .help("for example `user.login`, `tags[0]`, `lines[*].sku`");
            }
            path.map(ColumnValue::Path)
        }
    };
    let format = keys.label("format", d).and_then(|text| {
        let read = TimeFormat::read(text.trim());
        read.map_err(|why| {
            d.error(Code::BadColumnType, keys.place_of("format").cloned(), why)
                .help("use unix, unix_ms, iso8601, or a pattern of strftime like `%Y-%m-%d %H:%M:%S`");
        })
        .ok()
    });
    (given, format)
}
