//! Decimal numbers as texts have them. (Arrow's own parser lets large exponents and long numbers overflow.)

/// A decimal number as its text has it.
pub struct Digits<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Digits<'a> {
    /// Reads a number; none where the text is none.
    pub fn read(text: &'a str) -> Option<Digits<'a>> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            // An exponent that i64 can't hold is as good as any other out of reach.
            Some((mantissa, exponent)) => match exponent.parse::<i64>() {
                Ok(exponent) => (mantissa, exponent),
                Err(e) if *e.kind() == std::num::IntErrorKind::PosOverflow => (mantissa, i64::MAX),
                Err(e) if *e.kind() == std::num::IntErrorKind::NegOverflow => (mantissa, i64::MIN),
                Err(_) => return None,
            },
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let some = !(whole.is_empty() && fraction.is_empty());
        (some && digits(whole) && digits(fraction)).then_some(Digits {
            negative,
            whole: whole.as_bytes(),
            fraction: fraction.as_bytes(),
            exponent,
        })
    }

    /// The number in units of 10^-scale, rounded; none when it is beyond 128 bits.
    pub fn units(&self, scale: u8) -> Option<i128> {
        let digits = || {
            self.whole
                .iter()
                .chain(self.fraction)
                .map(|b| i128::from(b - b'0'))
        };
        let point = i64::try_from(self.whole.len()).ok()?;
        // How many of the digits stand before the unit's place.
        let kept = point.saturating_add(self.exponent).saturating_add(scale.into());
        let mut value: i128 = 0;
        let mut round_up = false;
        for (place, digit) in (0i64..).zip(digits()) {
            if place < kept {
                value = value.checked_mul(10)?.checked_add(digit)?;
            } else {
                round_up = place == kept && digit >= 5;
                break;
            }
        }
        let given = point.saturating_add(i64::try_from(self.fraction.len()).ok()?);
        if value != 0 {
            for _ in given..kept.max(given) {
                value = value.checked_mul(10)?;
            }
        }
        let value = value.checked_add(round_up.into())?;
        Some(if self.negative { -value } else { value })
    }
}
