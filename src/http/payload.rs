//! The payload of a response, made ready for whoever reads it: unpacked, with its charset, without what no database holds.

use std::borrow::Cow;

use bytes::Bytes;
use sequor_planner::ops::{InvalidText, Payload, charset};

use super::unpack;
use crate::error::Result;
use crate::exchange::Response;

/// Makes the payload ready. `most`: bytes that it may hold.
///
/// # Errors
/// A packed file that is not what it is said to be.
pub fn ready(mut response: Response, payload: &Payload, most: usize) -> Result<Response> {
    let body = std::mem::take(&mut response.body);
    response.body = unpack::opened(body, payload.compression, most)?;
    response.assumed = payload.encoding.as_deref().and_then(charset);
    let instead = match payload.invalid_text {
        InvalidText::Fail => return Ok(response),
        InvalidText::Replace => "\u{fffd}",
        InvalidText::Strip => "",
    };
    let cleaned = match cleaned(&response.body, instead) {
        Cow::Owned(cleaned) => Some(Bytes::from(cleaned)),
        Cow::Borrowed(_) => None,
    };
    if let Some(cleaned) = cleaned {
        response.body = cleaned;
    }
    Ok(response)
}

/// The text with `instead` for each NUL and each escape of half a character.
fn cleaned<'t>(text: &'t [u8], instead: &str) -> Cow<'t, [u8]> {
    if !text.contains(&0) && !text.windows(2).any(|pair| pair == b"\\u") {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    let mut changed = false;
    while let Some(&byte) = text.get(at) {
        let length = match byte {
            0 => 1,
            b'\\' => match unit(text, at) {
                // A pair of halves is one character.
                Some(0xD800..=0xDBFF) if matches!(unit(text, at + 6), Some(0xDC00..=0xDFFF)) => {
                    out.extend_from_slice(&text[at..at + 12]);
                    at += 12;
                    continue;
                }
                Some(0 | 0xD800..=0xDFFF) => 6,
                // An escaped backslash begins no other escape.
                _ => {
                    let end = (at + 2).min(text.len());
                    out.extend_from_slice(&text[at..end]);
                    at = end;
                    continue;
                }
            },
            byte => {
                out.push(byte);
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(instead.as_bytes());
        at += length;
        changed = true;
    }
    match changed {
        true => Cow::Owned(out),
        false => Cow::Borrowed(text),
    }
}

/// The number of the escape of four hex digits that stands at a place.
fn unit(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::cleaned;

    #[test]
    fn what_no_database_holds() {
        let clean = |text: &str| String::from_utf8(cleaned(text.as_bytes(), "?").into_owned()).unwrap();
        assert_eq!(clean(r#""a\u0000b""#), r#""a?b""#);
        assert_eq!(
            clean(r#""\ud83d\ude00 \ud83d x \ude00""#),
            r#""\ud83d\ude00 ? x ?""#
        );
        assert_eq!(clean(r#""\\u0000 \u0041""#), r#""\\u0000 \u0041""#);
        assert_eq!(clean("a\0b"), "a?b");
        assert_eq!(clean(r#"\"#), r#"\"#);
    }
}
