//! The filters for the path of a url: a value must neither end the path nor leave it.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};

/// Encodes a value that is part of a path: `? #`, blanks and control characters, and `%` unless the value is encoded
/// already. A slash stays.
///
/// # Errors
/// A value that would ask for something else: an empty one, and one with `.` or `..` between slashes.
pub fn path(value: &str) -> Result<String> {
    let decoded = percent_decoded(value);
    if value.is_empty() || decoded.split(['/', '\\']).any(|part| part == "." || part == "..") {
        return Err(elsewhere(value));
    }
    let special = |c: char| c == '?' || c == '#' || c.is_whitespace() || c.is_control();
    let encoded_already = !value.contains(special) && escapes(value);
    Ok(encode(value, |c| special(c) || (c == '%' && !encoded_already)))
}

/// Encodes a value that is one segment of a path: slashes and every `%` as well.
///
/// # Errors
/// As [`path`].
pub fn segment(value: &str) -> Result<String> {
    if matches!(value, "" | "." | "..") {
        return Err(elsewhere(value));
    }
    // Beyond letters and digits only what RFC 3986 (2.3) leaves unreserved, and what is common in ids.
    Ok(encode(value, |c| {
        !c.is_ascii_alphanumeric() && !"-._~:@!$&'()*+,;=".contains(c)
    }))
}

/// Returns the error of a missing value.
pub fn null() -> Error {
    let message = "a value in the path of `url` is null: it would ask for something else";
    Error::new(ErrorKind::Data, message).help(HELP)
}

const HELP: &str = "leave such rows out of the table, or give a default";

fn elsewhere(value: &str) -> Error {
    let what = match value {
        "" => "empty".to_string(),
        value => format!("`{value}`"),
    };
    let message = format!("a value in the path of `url` is {what}: it would ask for something else");
    Error::new(ErrorKind::Data, message).help(HELP)
}

/// Whether each `%` is followed by two hex digits.
fn escapes(value: &str) -> bool {
    value.match_indices('%').all(|(at, _)| {
        let digits = value.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn percent_decoded(value: &str) -> Cow<'_, str> {
    // A query's `+` would be a blank.
    match value.contains('%') {
        true => {
            let plus = value.replace('+', "%2B");
            let pairs = url::form_urlencoded::parse(plus.as_bytes()).next();
            pairs.map_or(Cow::Borrowed(value), |(name, _)| Cow::Owned(name.into_owned()))
        }
        false => Cow::Borrowed(value),
    }
}

fn encode(value: &str, which: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(value.len());
    let mut bytes = [0; 4];
    for c in value.chars() {
        match which(c) {
            true => {
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_path_or_leaves_it() {
        assert_eq!(path("a/b c").unwrap(), "a/b%20c");
        assert_eq!(path("e#f?g%41").unwrap(), "e%23f%3Fg%2541");
        assert_eq!(path("a%20b").unwrap(), "a%20b");
        assert_eq!(path("100%").unwrap(), "100%25");
        assert_eq!(path("t\tab\u{7f}\u{a0}").unwrap(), "t%09ab%7F%C2%A0");
        assert_eq!(path("a..b/.c").unwrap(), "a..b/.c");
        for bad in [
            "", ".", "..", "../x", "x/..", "x/./y", "%2e%2E", "a\\..\\b", "%2E",
        ] {
            assert!(path(bad).is_err(), "{bad}");
        }
        assert_eq!(segment("a/b%41 é").unwrap(), "a%2Fb%2541%20%C3%A9");
        assert_eq!(segment("x:1@y").unwrap(), "x:1@y");
        assert!(segment("..").is_err() && segment("").is_err());
    }
}
