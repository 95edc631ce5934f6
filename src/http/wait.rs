//! What an API says about waiting: `Retry-After` and the headers for rate limits, in the forms that APIs use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::exchange::Response;

/// Names of headers that say `Retry-After` in milliseconds.
const IN_MILLISECONDS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];

/// What headers for rate limits begin with.
const PREFIXES: [&str; 3] = ["ratelimit", "x-ratelimit", "x-rate-limit"];

/// Returns how long to wait before asking again: `Retry-After` (RFC 9110, 10.2.3: seconds, or a date; fractions and ISO
/// dates are in use, too), or the same in milliseconds.
pub fn retry_after(response: &Response) -> Option<Duration> {
    let headers = &response.headers;
    if let Some(milliseconds) = IN_MILLISECONDS.iter().find_map(|name| text(headers, name)) {
        let milliseconds = milliseconds.parse::<f64>().ok()?;
        return Duration::try_from_secs_f64(milliseconds.max(0.0) / 1000.0).ok();
    }
    let text = text(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let date = httpdate::parse_http_date(text).ok().or_else(|| {
        let date = DateTime::parse_from_rfc3339(text).ok()?;
        Some(SystemTime::from(date))
    });
    match date {
        Some(date) => Some(date.duration_since(SystemTime::now()).unwrap_or_default()),
        None => humantime::parse_duration(text).ok(),
    }
}

/// Returns how long until there are requests left again, when the response says that it was the last of its window: the
/// header `RateLimit` (IETF draft, its 7th version and the structured ones), `RateLimit-*`, and `X-RateLimit-*` of many APIs,
/// which give seconds, a moment, or a time such as `6m0s`.
pub fn spent(response: &Response) -> Option<Duration> {
    let headers = &response.headers;
    let listed = headers
        .get_all("ratelimit")
        .iter()
        .filter_map(|value| in_list(value.to_str().ok()?))
        .max();
    let named = headers.iter().filter_map(|(name, value)| {
        let (prefix, unit) = parted(name.as_str(), "remaining")?;
        let left: f64 = value.to_str().ok()?.trim().parse().ok()?;
        match left < 1.0 {
            true => reset(headers, prefix, unit),
            false => None,
        }
    });
    listed.into_iter().chain(named).max()
}

/// Returns when a rate limit is reset, whatever is left of it: for a response that says by its status that nothing is.
pub fn reset_at(response: &Response) -> Option<Duration> {
    let headers = &response.headers;
    PREFIXES.iter().find_map(|prefix| reset(headers, prefix, ""))
}

/// The prefix of a header for rate limits, and what follows `what` in its name: `x-ratelimit-remaining-tokens`.
fn parted<'n>(name: &'n str, what: &str) -> Option<(&'n str, &'n str)> {
    PREFIXES.iter().find_map(|prefix| {
        let rest = name.strip_prefix(prefix)?.strip_prefix('-')?;
        Some((&name[..prefix.len()], rest.strip_prefix(what)?))
    })
}

fn reset(headers: &HeaderMap, prefix: &str, unit: &str) -> Option<Duration> {
    let text = text(headers, &format!("{prefix}-reset{unit}"))?;
    match text.parse::<f64>() {
        Ok(reset) => until(reset),
        Err(_) => duration(text),
    }
}

/// The header `RateLimit`: `limit=10, remaining=0, reset=2`, or `"default";r=0;t=2` for each policy.
fn in_list(text: &str) -> Option<Duration> {
    let number = |part: &str, names: [&str; 2]| {
        let (name, value) = part.split_once('=')?;
        let is_it = names.iter().any(|n| name.trim().eq_ignore_ascii_case(n));
        is_it.then(|| value.trim().parse::<f64>().ok())?
    };
    let window = |parts: &[&str]| {
        let left = parts.iter().find_map(|part| number(part, ["remaining", "r"]))?;
        let reset = parts.iter().find_map(|part| number(part, ["reset", "t"]))?;
        if left < 1.0 { until(reset) } else { None }
    };
    match text.contains(';') {
        true => text
            .split(',')
            .filter_map(|policy| window(&policy.split(';').collect::<Vec<_>>()))
            .max(),
        false => window(&text.split(',').collect::<Vec<_>>()),
    }
}

/// A time as Go and others write it: `6m0s`, `1.5s`, `250ms`.
fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().or_else(|| {
        let (number, unit) = match text.strip_suffix("ms") {
            Some(number) => (number, 0.001),
            None => (text.strip_suffix('s')?, 1.0),
        };
        // `1m2.5s`: whole minutes before.
        let (whole, number) = number
            .rsplit_once(|c: char| c.is_ascii_alphabetic())
            .map_or(("", number), |(_, last)| {
                number.split_at(number.len() - last.len())
            });
        let whole = match whole {
            "" => Duration::ZERO,
            whole => humantime::parse_duration(whole).ok()?,
        };
        let rest = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()?;
        whole.checked_add(rest)
    })
}

/// Seconds from now, of seconds, or of a moment in seconds or milliseconds since 1970.
fn until(reset: f64) -> Option<Duration> {
    let moment = match reset {
        r if r > 1e12 => r / 1000.0,
        r if r > 1e9 => r,
        r => return Duration::try_from_secs_f64(r.max(0.0)).ok(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    Duration::try_from_secs_f64((moment - now).max(0.0)).ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn response(headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        Response::new(
            429,
            headers.collect(),
            "http://x".parse().unwrap(),
            Default::default(),
        )
    }

    #[test]
    fn every_form_of_a_spent_budget() {
        let seconds = |headers: &[(&str, &str)]| spent(&response(headers)).map(|wait| wait.as_secs_f64());
        assert_eq!(seconds(&[("ratelimit", "\"default\";r=0;t=2")]), Some(2.0));
        assert_eq!(
            seconds(&[("ratelimit", "\"a\";r=5;t=9, \"b\";r=0;t=3")]),
            Some(3.0)
        );
        assert_eq!(
            seconds(&[("ratelimit", "limit=10, remaining=0, reset=2")]),
            Some(2.0)
        );
        assert_eq!(seconds(&[("ratelimit", "limit=10, remaining=1, reset=2")]), None);
        assert_eq!(
            seconds(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "2")]),
            Some(2.0)
        );
        let tokens = [
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ];
        assert_eq!(seconds(&tokens), Some(360.0));
        for (text, wanted) in [("1.5s", 1.5), ("250ms", 0.25), ("1m2.5s", 62.5), ("1h", 3600.0)] {
            let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", text)];
            assert_eq!(seconds(&headers), Some(wanted), "{text}");
        }
        assert_eq!(
            seconds(&[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "9")]),
            None
        );
    }

    #[test]
    fn every_form_of_a_wait() {
        let seconds =
            |name: &str, value: &str| retry_after(&response(&[(name, value)])).map(|wait| wait.as_secs_f64());
        assert_eq!(seconds("retry-after", "2.5"), Some(2.5));
        assert_eq!(seconds("retry-after-ms", "1500"), Some(1.5));
        assert_eq!(seconds("retry-after", "-1"), Some(0.0));
        assert_eq!(seconds("retry-after", "soon"), None);
        let soon = (chrono::Utc::now() + chrono::TimeDelta::seconds(60)).to_rfc3339();
        assert!(seconds("retry-after", &soon).is_some_and(|wait| (58.0..=60.0).contains(&wait)));
        assert_eq!(seconds("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(0.0));
    }
}
