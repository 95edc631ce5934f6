//! Decimals as texts.

/// A decimal without what does not count: the sign of zero, zeros in front and behind.
#[derive(PartialEq)]
struct PlainDecimal<'t> {
    negative: bool,
    whole: &'t str,
    part: &'t str,
}

/// Tells whether two numbers that are written as texts are one.
pub fn same_number(a: &str, b: &str) -> bool {
    match (PlainDecimal::read(a), PlainDecimal::read(b)) {
        (Some(a), Some(b)) => a == b,
        // With an exponent, or not finite.
        _ => match (a.trim().parse::<f64>(), b.trim().parse::<f64>()) {
            (Ok(a), Ok(b)) => a == b || (a.is_nan() && b.is_nan()),
            _ => false,
        },
    }
}

impl<'t> PlainDecimal<'t> {
    /// Reads digits with or without a point; none where a text is something else, like a number with an exponent.
    fn read(text: &'t str) -> Option<PlainDecimal<'t>> {
        let text = text.trim();
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        Some(PlainDecimal {
            negative: negative && !(whole.is_empty() && part.is_empty()),
            whole,
            part,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_do_not_count() {
        for (a, b) in [
            ("1.10", "01.1"),
            ("-0.0", "0"),
            ("5", "5.000"),
            ("1e2", "100"),
            ("NaN", "NaN"),
        ] {
            assert!(same_number(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("1.1", "-1.1"),
            ("1", "10"),
            ("NaN", "1"),
            ("x", "x"),
            ("9007199254740993", "9007199254740992"),
        ] {
            assert!(!same_number(a, b), "{a} {b}");
        }
    }
}
