//! What an API says about waiting: `Retry-After` and the headers for rate limits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::exchange::Response;

/// The longest wait that is obeyed; what asks for more has to be run again later.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Returns how long to wait before asking again (RFC 9110, 10.2.3: seconds, or a date).
pub fn retry_after(response: &Response) -> Option<Duration> {
    let text = text(&response.headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Returns how long until there are requests left again, when the response says that it was the last of its window:
/// the headers `RateLimit-*` of the IETF draft and `X-RateLimit-*` of many APIs, which give seconds or a moment.
pub fn exhausted(response: &Response) -> Option<Duration> {
    for prefix in ["ratelimit", "x-ratelimit", "x-rate-limit"] {
        let header = |name: &str| text(&response.headers, &format!("{prefix}-{name}"));
        let remaining = header("remaining").and_then(|t| t.parse::<f64>().ok());
        if remaining.is_none_or(|remaining| remaining >= 1.0) {
            continue;
        }
        let reset = header("reset").and_then(|t| t.parse::<f64>().ok())?;
        return wait(reset);
    }
    None
}

/// Seconds from now, of seconds, or of a moment in seconds or milliseconds since 1970.
fn wait(reset: f64) -> Option<Duration> {
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
