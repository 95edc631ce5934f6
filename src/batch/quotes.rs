//! The quotes of a CSV text: each that begins a value ends it, and nothing stands behind it. The reader is more lenient.

use crate::error::{Error, ErrorKind, Result};

/// Checks the quotes of a text. `escape`: what stands before a quote inside quotes; none: a second quote.
///
/// # Errors
/// A quote that does not end, as in a text that was cut off, and text behind a closing quote.
pub fn check(text: &[u8], delimiter: u8, quote: u8, escape: Option<u8>) -> Result<()> {
    let find = |from: usize, wanted: &dyn Fn(u8) -> bool| {
        let rest = text.get(from..)?;
        rest.iter().position(|byte| wanted(*byte)).map(|at| from + at)
    };
    let is_end = |byte: u8| byte == delimiter || byte == b'\n' || byte == b'\r';
    let mut at = 0;
    while let Some(opening) = find(at, &|byte| byte == quote) {
        at = opening + 1;
        // Inside of a value that begins with something else it is a sign like others.
        if opening > 0 && !is_end(text[opening - 1]) {
            continue;
        }
        loop {
            let Some(found) = find(at, &|byte| byte == quote || Some(byte) == escape) else {
                return Err(bad(text, opening, "a quote does not end"));
            };
            at = found + 1;
            match text.get(at) {
                _ if Some(text[found]) == escape => at += 1,
                Some(next) if *next == quote && escape.is_none() => at += 1,
                None => return Ok(()),
                Some(next) if is_end(*next) => break,
                Some(_) => return Err(bad(text, found, "text stands behind a closing quote")),
            }
        }
    }
    Ok(())
}

fn bad(text: &[u8], at: usize, what: &str) -> Error {
    let line = text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let message = format!("the response is not good CSV: {what} (line {line})");
    Error::new(ErrorKind::Data, message)
        .help("`csv: {quote, escape}` of the response say how it is written otherwise")
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn quotes_end_and_end_values() {
        let good = |text: &str| check(text.as_bytes(), b',', b'"', None).is_ok();
        assert!(good("a,b\n1,\"x\"\n") && good("a\n\"x\"\"y\"\n\"\"") && good("a\n5\" pipe\n"));
        assert!(good("a,b\r\n\"x\ny\",2\r\n"));
        assert!(!good("a\n\"x") && !good("a\n\"x\" now\n") && !good("a\n\"say \"\"hi\"\" \"now\"\n"));
        let escaped = |text: &str| check(text.as_bytes(), b'|', b'"', Some(b'\\')).is_ok();
        assert!(escaped("a|b\n1|\"say \\\"hi\\\" | now\"\n"));
        assert!(!escaped("a\n\"x\\\""));
    }
}
