//! Patterns of times, as `strftime` writes them.

use sequor_planner::Dialect;

/// Parts of PostgreSQL's patterns, longest first.
const POSTGRES: &[(&str, &str)] = &[
    ("FMMonth", "%B"),
    ("FMHH24", "%-H"),
    ("FMHH12", "%-I"),
    ("FMDay", "%A"),
    ("FMDD", "%-d"),
    ("FMMM", "%-m"),
    ("FMHH", "%-I"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("YYYY", "%Y"),
    ("IYYY", "%G"),
    ("Mon", "%b"),
    ("DDD", "%j"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("Dy", "%a"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("IW", "%V"),
    ("ID", "%u"),
    ("AM", "%p"),
    ("PM", "%p"),
];

/// Parts of Snowflake's patterns, longest first: their letters may be of any case.
const SNOWFLAKE: &[(&str, &str)] = &[
    ("YYYY", "%Y"),
    ("MMMM", "%B"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("MON", "%b"),
    ("FF3", "%3f"),
    ("FF6", "%6f"),
    ("FF9", "%9f"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("DY", "%a"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("AM", "%p"),
    ("PM", "%p"),
];

/// Parts of MySQL's that are others than those of `strftime`.
const MYSQL: &[(char, &str)] = &[
    ('i', "%M"),
    ('s', "%S"),
    ('M', "%B"),
    ('W', "%A"),
    ('e', "%-d"),
    ('c', "%-m"),
    ('k', "%-H"),
    ('l', "%-I"),
    ('h', "%I"),
    ('f', "%6f"),
    ('r', "%I:%M:%S %p"),
    ('x', "%G"),
    ('v', "%V"),
    ('%', "%%"),
];

/// Those of MySQL's that are the same.
const SAME: &str = "YymdHISTjabpw";

/// Writes a pattern of PostgreSQL's or Snowflake's as the staging database reads it.
///
/// # Errors
/// A pattern with other parts: those of numbers, and those that have no counterpart.
pub fn of_letters(pattern: &str, dialect: Dialect) -> Result<String, String> {
    let any_case = dialect == Dialect::Snowflake;
    let parts = if any_case { SNOWFLAKE } else { POSTGRES };
    let (mut rest, mut out) = (pattern, String::new());
    while let Some(first) = rest.chars().next() {
        let is_next = |part: &str| match rest.get(..part.len()) {
            // Digits are written alike whatever the case; names of months and days are not.
            Some(next) if any_case || !part.bytes().any(|b| b.is_ascii_lowercase()) => {
                next.eq_ignore_ascii_case(part) && (next == part || !matches!(part, "AM" | "PM"))
            }
            Some(next) => next == part,
            None => false,
        };
        if let Some((part, written)) = parts.iter().find(|(part, _)| is_next(part)) {
            out.push_str(written);
            rest = &rest[part.len()..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (inside, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
            out.push_str(inside);
            rest = behind;
        } else if first.is_ascii_alphanumeric() || first == '%' {
            return Err(format!("the pattern `{pattern}` can't be tried in a dry run"));
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(out)
}

/// Writes a pattern of MySQL's as the staging database reads it.
///
/// # Errors
/// A pattern with a part that has no counterpart.
pub fn of_percents(pattern: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let Some(part) = letters.next() else { break };
        match MYSQL.iter().find(|(known, _)| *known == part) {
            Some((_, written)) => out.push_str(written),
            None if SAME.contains(part) => out.extend(['%', part]),
            None => {
                return Err(format!(
                    "the pattern `{pattern}` can't be tried in a dry run: `%{part}`"
                ));
            }
        }
    }
    Ok(out)
}

/// Whether a pattern of `strftime` has a time of day in it.
pub fn has_time(pattern: &str) -> bool {
    ["%H", "%I", "%M", "%S", "%-H", "%-I", "%T", "%s", "%p"]
        .iter()
        .any(|part| pattern.contains(part))
}
