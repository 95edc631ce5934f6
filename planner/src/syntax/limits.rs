//! How fast and how often an http source may be asked: `rate_limit` and `retry`, of a source or of one request.

use serde::{Deserialize, Serialize};

use super::{Form, Key, Keys, Node, Shape};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;

/// `rate_limit`: so many requests per time, shared by all steps on the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateLimitSpec {
    pub requests: f64,
    /// Seconds.
    pub per: f64,
    /// Requests that may go at once after a pause.
    pub burst: u64,
}

/// Requests under way at the same time on one source, when it does not say.
const DEFAULT_CONCURRENCY: usize = 16;

/// Requests under way at the same time where the engine looks for the best number itself.
const MOST_CONCURRENCY: usize = 256;

/// `concurrency`: how many requests are under way at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    Fixed(usize),
    /// As many as the API allows, found out while it is asked.
    Auto,
}

impl Default for Concurrency {
    fn default() -> Self {
        Concurrency::Fixed(DEFAULT_CONCURRENCY)
    }
}

impl Concurrency {
    /// Returns how many there are at most.
    pub fn most(self) -> usize {
        match self {
            Concurrency::Fixed(n) => n,
            Concurrency::Auto => MOST_CONCURRENCY,
        }
    }
}

impl Serialize for Concurrency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Concurrency::Fixed(n) => serializer.serialize_u64(*n as u64),
            Concurrency::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(auto) if auto == "auto" => Ok(Concurrency::Auto),
            other => match other.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) => Ok(Concurrency::Fixed(n)),
                None => Err(serde::de::Error::custom("concurrency is a number or `auto`")),
            },
        }
    }
}

/// How waits between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackoffType {
    Exponential,
    Linear,
    Constant,
}

/// What is worth another attempt besides statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// The server did not answer in time.
    Timeout,
    /// The connection could not be made, or broke.
    Connect,
}

/// `retry`. What is not given keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RetrySpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffType>,
    /// Seconds before the second attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<f64>,
    /// Seconds at most between two attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<u16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Vec<RetryOn>>,
    /// Seconds of the longest single wait that is obeyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<f64>,
    /// Seconds that one request may take, its waits included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_elapsed: Option<f64>,
    /// Whether methods that are not idempotent are sent again, too, whatever happened to the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_idempotent: Option<bool>,
}

static RATE_LIMIT: Shape = Shape {
    what: "a rate_limit",
    doc: "How many requests may go to the source in a time, counted over all steps.",
    with: &[],
    keys: &[
        Key::new("requests", Form::Positive, "How many requests.").required(),
        Key::new(
            "per",
            Form::Duration,
            "In which time: second, minute, hour, day, or like 500ms, 10s, 5m.",
        )
        .default("`second`"),
        Key::new("burst", Form::Whole, "How many may go at once after a pause.").default("`1`"),
    ],
};

static BACKOFF: Shape = Shape {
    what: "a backoff",
    doc: "The waits between attempts.",
    with: &[],
    keys: &[
        Key::new(
            "type",
            Form::Choice(&["exponential", "linear", "constant"]),
            "How the waits grow.",
        )
        .default("`exponential`"),
        Key::new("initial", Form::Duration, "The first wait.").default("`200ms`"),
        Key::new("max", Form::Duration, "The longest wait.").default("`30s`"),
        Key::new("jitter", Form::Flag, "Whether waits vary at random.").default("`true`"),
    ],
};

static RETRY: Shape = Shape {
    what: "a retry",
    doc: "When and how often a request is sent again.",
    with: &[],
    keys: &[
        Key::new(
            "max_attempts",
            Form::Whole,
            "How often a request is tried at most; 1 tries it once. What an API puts off by a 429 is no attempt.",
        ).default("`3`"),
        Key::new(
            "max_wait",
            Form::Duration,
            "The longest single wait that an API may ask for. What asks for more fails at once, and says when to run again.",
        ).default("`1h`"),
        Key::new(
            "max_elapsed",
            Form::Duration,
            "How long one request may take, its waits included.",
        ).default("`2h`"),
        Key::new("backoff", Form::Map(&BACKOFF), "The waits between attempts."),
        Key::new(
            "statuses",
            Form::Statuses,
            "Statuses worth another attempt. A 429 is waited for in any case.",
        ).default("408, 425 and all of 5xx but 501 and 505")
        .deferred(),
        Key::new(
            "on",
            Form::Words(&["timeout", "connect"]),
            "What else is worth one.",
        ).default("both"),
        Key::new(
            "non_idempotent",
            Form::Flag,
            "Whether POST and PATCH are sent again whatever happened; otherwise only when the first attempt was surely not carried out.",
        ),
    ],
};

/// The keys `rate_limit` and `retry`, of a source.
pub static LIMITS: Shape = Shape {
    what: "limits",
    doc: "How fast and how often the source is asked.",
    with: &[],
    keys: &[
        Key::new(
            "timeout",
            Form::Duration,
            "How long an API may be silent: while connecting (30s at most), before its answer and within.",
        )
        .default("`5m`"),
        Key::new(
            "total_timeout",
            Form::Duration,
            "How long the whole of a request may take, its body included.",
        )
        .default("no limit"),
        Key::new(
            "concurrency",
            Form::Concurrency,
            "Requests at the same time; `auto` finds out how many the API allows.",
        )
        .default("`16`"),
        Key::new(
            "rate_limit",
            Form::Map(&RATE_LIMIT),
            "How many requests may go in a time.",
        ),
        Key::new(
            "retry",
            Form::Map(&RETRY),
            "When and how often a request is sent again.",
        ),
    ],
};

/// The keys of a single request's own.
pub static REQUEST_LIMITS: Shape = Shape {
    what: "limits",
    doc: "What the request does differently from its source.",
    with: &[],
    keys: &[
        Key::new("timeout", Form::Duration, "How long the API may be silent.").default("the source's"),
        Key::new(
            "total_timeout",
            Form::Duration,
            "How long the whole of the request may take.",
        )
        .default("the source's"),
        Key::new(
            "concurrency",
            Form::Concurrency,
            "The step's requests at the same time, counted apart from the source's.",
        ),
        Key::new(
            "rate_limit",
            Form::Map(&RATE_LIMIT),
            "How many requests the step may send in a time, counted apart from the source's.",
        ),
        Key::new(
            "retry",
            Form::Map(&RETRY),
            "When and how often it is sent again; what is left out is the source's.",
        ),
    ],
};

/// Reads `concurrency`: a whole number above 0, or `auto`.
pub fn read_concurrency(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<Concurrency> {
    if keys.defers("concurrency", d) {
        return None;
    }
    let node = keys.node("concurrency")?;
    if node.as_text().is_some_and(|text| &**text == "auto") {
        return Some(Concurrency::Auto);
    }
    let number = node.to_json().as_u64().and_then(|n| usize::try_from(n).ok());
    let number = number.filter(|n| *n > 0);
    if number.is_none() {
        d.error(
            Code::WrongType,
            node.place.clone(),
            "`concurrency` must be a whole number above 0, or auto",
        );
    }
    number.map(Concurrency::Fixed)
}

/// Reads `rate_limit`.
pub fn read_rate_limit(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<RateLimitSpec> {
    let keys = Keys::new(keys.node("rate_limit")?, &RATE_LIMIT, d)?;
    Some(RateLimitSpec {
        per: keys.duration("per", d).unwrap_or(1.0),
        burst: keys.whole("burst", d).unwrap_or(1),
        requests: keys.positive("requests", d)?,
    })
}

/// Reads `retry`.
pub fn read_retry(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<RetrySpec> {
    let keys = Keys::new(keys.node("retry")?, &RETRY, d)?;
    let mut retry = RetrySpec {
        max_attempts: keys.whole("max_attempts", d),
        statuses: read_statuses(&keys, "statuses", d),
        max_wait: keys.duration("max_wait", d),
        max_elapsed: keys.duration("max_elapsed", d),
        non_idempotent: keys.flag("non_idempotent", d),
        on: keys.words("on", d).map(|words| {
            let on = |word: &str| match word {
                "timeout" => RetryOn::Timeout,
                _ => RetryOn::Connect,
            };
            words.into_iter().map(on).collect()
        }),
        ..RetrySpec::default()
    };
    if let Some(good) = retry.statuses.iter().flatten().find(|status| **status < 400) {
        let place = keys.place_of("statuses").cloned();
        d.error(
            Code::BadValue,
            place,
            format!("`statuses` of a retry lists {good}, which is no failure"),
        )
        .help("a rule tells what a good status means: `rules: [{when_expression: ..., action: retry}]`");
    }
    if let Some(node) = keys.node("backoff") {
        let keys = Keys::new(node, &BACKOFF, d)?;
        retry.backoff = keys.choice("type", d).map(|word| match word {
            "linear" => BackoffType::Linear,
            "constant" => BackoffType::Constant,
            _ => BackoffType::Exponential,
        });
        retry.initial = keys.duration("initial", d);
        retry.max = keys.duration("max", d);
        retry.jitter = keys.flag("jitter", d);
        if let (Some(initial), Some(max)) = (retry.initial, retry.max)
            && initial > max
        {
            let place = keys.place_of("max").cloned();
            d.error(
                Code::BadValue,
                place,
                "the longest wait, `max`, is shorter than the first, `initial`",
            );
        }
    }
    Some(retry)
}

/// Reads HTTP statuses: one, or a list.
pub fn read_statuses(keys: &Keys<'_>, name: &str, d: &mut Diagnostics) -> Option<Vec<u16>> {
    if keys.defers(name, d) {
        return None;
    }
    let node = keys.node(name)?;
    let items = node.one_or_list();
    let status = |item: &Node| {
        let status = item.to_json().as_u64().filter(|s| (100..600).contains(s))?;
        u16::try_from(status).ok()
    };
    let found: Option<Vec<u16>> = items.iter().map(status).collect();
    let found = found.filter(|found| !found.is_empty());
    if found.is_none() {
        d.error(
            Code::WrongType,
            node.place.clone(),
            format!("`{name}` must be a list of HTTP statuses"),
        )
        .help(format!("for example `{name}: [429, 503]`"));
    }
    found
}
