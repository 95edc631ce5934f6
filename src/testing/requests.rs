//! Requests that a flow sent, compared with those that a test expects.

use sequor_planner::testing::ExpectedRequest;
use serde_json::Value as Json;
use url::Url;

use super::{compare, rows, yaml};
use crate::engine::Asked;
use crate::value::Value;

/// Tells whether a request is the one that is expected: what is not named is not looked at.
pub fn is_request(expected: &ExpectedRequest, asked: &Asked) -> bool {
    let body = String::from_utf8_lossy(&asked.body);
    let method = expected
        .method
        .as_ref()
        .is_none_or(|method| asked.method.as_str().eq_ignore_ascii_case(method));
    let url = expected.url.as_ref().is_none_or(|url| is_url(url, &asked.url));
    let query = expected
        .query
        .iter()
        .all(|(name, value)| has_parameter(&asked.url, name, value));
    let headers = expected.headers.iter().all(|(name, value)| {
        let mut all = asked.headers.get_all(name.as_str()).iter();
        all.any(|header| String::from_utf8_lossy(header.as_bytes()) == text(value))
    });
    let json = expected.json.as_ref().is_none_or(|expected| {
        let read: Result<Json, _> = serde_json::from_str(&body);
        read.is_ok_and(|read| compare::same(expected, &Value::from(&read)))
    });
    let same_body = expected
        .body
        .as_ref()
        .is_none_or(|expected| expected.trim_end() == body.trim_end());
    method && url && query && headers && json && same_body
}

/// A url with or without its query, or only its path.
fn is_url(expected: &str, url: &Url) -> bool {
    let shown = match expected.starts_with('/') {
        true => match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_string(),
        },
        false => url.to_string(),
    };
    let bare = |text: &str| {
        text.split(['?', '#'])
            .next()
            .unwrap_or_default()
            .trim_end_matches('/')
            .to_string()
    };
    match expected.contains('?') {
        true => expected == shown,
        false => bare(expected) == bare(&shown),
    }
}

fn text(value: &Json) -> String {
    Value::from(value).to_json_text()
}

fn has_parameter(url: &Url, name: &str, expected: &Json) -> bool {
    let found: Vec<String> = url
        .query_pairs()
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
        .collect();
    match expected {
        Json::Null => found.is_empty(),
        Json::Array(items) => found == items.iter().map(text).collect::<Vec<_>>(),
        Json::Bool(is) => found.len() == 1 && found[0].eq_ignore_ascii_case(&is.to_string()),
        other => found == [text(other)],
    }
}

/// Returns a request on one line, with what `like` names, or all of it.
pub fn line(asked: &Asked, like: Option<&ExpectedRequest>) -> String {
    let mut parts: Vec<(&str, Json)> = Vec::new();
    let wants = |is: fn(&ExpectedRequest) -> bool| like.is_none_or(is);
    if wants(|like| like.method.is_some()) {
        parts.push(("method", asked.method.as_str().into()));
    }
    if let Some(like) = like.and_then(|like| like.url.as_ref()) {
        let mut url = asked.url.clone();
        if !like.contains('?') {
            url.set_query(None);
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        parts.push(match like.starts_with('/') {
            true => ("url", format!("{}{query}", url.path()).into()),
            false => ("url", url.as_str().into()),
        });
    } else if like.is_none() {
        parts.push(("url", asked.url.as_str().into()));
    }
    if let Some(like) = like.filter(|like| !like.query.is_empty()) {
        let value = |name: &str| {
            let mut all = asked.url.query_pairs().filter(|(known, _)| known == name);
            all.next().map_or(Json::Null, |(_, value)| value.as_ref().into())
        };
        let query = like.query.iter().map(|(name, _)| (name.clone(), value(name)));
        parts.push(("query", Json::Object(query.collect())));
    }
    if let Some(like) = like.filter(|like| !like.headers.is_empty()) {
        let value = |name: &str| {
            let value = asked
                .headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()));
            value.map_or(Json::Null, |value| value.as_ref().into())
        };
        let headers = like.headers.iter().map(|(name, _)| (name.clone(), value(name)));
        parts.push(("headers", Json::Object(headers.collect())));
    }
    if !asked.body.is_empty() && wants(|like| like.json.is_some() || like.body.is_some()) {
        let body = String::from_utf8_lossy(&asked.body);
        let as_text = like.is_some_and(|like| like.body.is_some());
        parts.push(match serde_json::from_str::<Json>(&body) {
            Ok(json) if !as_text => ("json", json),
            _ => ("body", body.as_ref().into()),
        });
    }
    yaml::entries(parts)
}

/// Returns an expected request on one line.
pub fn expected_line(expected: &ExpectedRequest) -> String {
    let map = |pairs: &[(String, Json)]| {
        Json::Object(
            pairs
                .iter()
                .map(|(name, value)| (name.clone(), rows::plain(value)))
                .collect(),
        )
    };
    let text = |text: &Option<String>| text.as_ref().map(|text| Json::from(text.as_str()));
    let parts = [
        ("method", text(&expected.method)),
        ("url", text(&expected.url)),
        (
            "query",
            (!expected.query.is_empty()).then(|| map(&expected.query)),
        ),
        (
            "headers",
            (!expected.headers.is_empty()).then(|| map(&expected.headers)),
        ),
        ("json", expected.json.as_ref().map(rows::plain)),
        ("body", text(&expected.body)),
    ];
    yaml::entries(parts.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// Compares requests: what is missing with `-`, what was sent instead with `+`; none where they are as expected.
pub fn diff(expected: &[ExpectedRequest], asked: &[Asked], in_order: bool) -> Option<Vec<String>> {
    if in_order {
        let same = expected.len() == asked.len()
            && expected
                .iter()
                .zip(asked)
                .all(|(expected, asked)| is_request(expected, asked));
        let wrong = expected
            .iter()
            .map(|expected| format!("- {}", expected_line(expected)));
        let sent = asked
            .iter()
            .map(|asked| format!("+ {}", line(asked, expected.first())));
        return (!same).then(|| wrong.chain(sent).collect());
    }
    let (missing, unexpected) = unmatched(expected, asked);
    let lines = missing
        .iter()
        .map(|expected| format!("- {}", expected_line(expected)));
    let sent = unexpected
        .iter()
        .map(|asked| format!("+ {}", line(asked, expected.first())));
    let lines: Vec<String> = lines.chain(sent).collect();
    (!lines.is_empty()).then_some(lines)
}

/// Returns the expected requests that were not sent, and those that were and are not expected.
pub fn unmatched<'a>(
    expected: &'a [ExpectedRequest],
    asked: &'a [Asked],
) -> (Vec<&'a ExpectedRequest>, Vec<&'a Asked>) {
    let mut left: Vec<Option<&Asked>> = asked.iter().map(Some).collect();
    let mut missing = Vec::new();
    for one in expected {
        let found = left
            .iter()
            .position(|slot| slot.is_some_and(|asked| is_request(one, asked)));
        match found {
            Some(found) => left[found] = None,
            None => missing.push(one),
        }
    }
    (missing, left.into_iter().flatten().collect())
}
