//! The header `Link` (RFC 8288), and urls of pages that differ in a number alone.

use std::ops::RangeInclusive;

use reqwest::header::LINK;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;

/// Returns the target of the link with a relation, in the headers `Link`.
pub(super) fn header_link<'r>(response: &'r Response, relation: &str) -> Option<&'r str> {
    let headers = response.headers.get_all(LINK).iter();
    headers
        .filter_map(|h| h.to_str().ok())
        .find_map(|header| link(header, relation))
}

/// Returns the url of the next page as it is spelled, joined to that of this one. One in plain HTTP at the host of a page
/// that came by HTTPS is asked for by HTTPS: servers behind a proxy do not know better.
///
/// # Errors
/// What is no url.
pub(super) fn next_url(response: &Response, next: &str) -> Result<Url> {
    let mut url = response.url.join(next.trim()).map_err(|e| {
        let message = format!("the next page, `{next}`, is not a url: {e}");
        Error::new(ErrorKind::Data, message)
    })?;
    let here = &response.url;
    if here.scheme() == "https" && url.scheme() == "http" && here.host() == url.host() {
        let port = url.port();
        if port.is_none() || port == here.port_or_known_default() {
            // Both schemes are special ones, between which a url may change.
            let _ = url.set_scheme("https");
            let _ = url.set_port(here.port());
        }
    }
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => {
            let message = format!("the next page, `{next}`, has the scheme `{scheme}`");
            Err(Error::new(ErrorKind::Data, message).help("pages are asked for by http or https"))
        }
    }
}

/// The numbers of the pages from `next` to the one that the response calls the last, and the url of each; none where the
/// two urls do not differ in the number of the page alone. Positions and marks have other distances than one.
pub(super) fn numbered(
    response: &Response,
    next: &Url,
) -> Option<(RangeInclusive<u64>, impl Fn(u64) -> Url + Send + 'static)> {
    let last = next_url(response, header_link(response, "last")?).ok()?;
    let same_page = last.origin() == next.origin() && last.path() == next.path();
    let from: Vec<&str> = next.query()?.split('&').collect();
    let to: Vec<&str> = last.query()?.split('&').collect();
    let mut other = from.iter().zip(&to).enumerate().filter(|(_, (a, b))| a != b);
    let at = match (other.next(), other.next()) {
        (Some((at, _)), None) if same_page && from.len() == to.len() => at,
        _ => return None,
    };
    let ((name, first), (other_name, end)) = (from[at].split_once('=')?, to[at].split_once('=')?);
    let (first, end): (u64, u64) = (first.parse().ok()?, end.parse().ok()?);
    let asked = response.url.query_pairs().find(|(n, _)| n == name);
    let before = asked.map_or(Some(1), |(_, number)| number.parse::<u64>().ok())?;
    let lower = name.to_ascii_lowercase();
    let of_pages = lower.contains("page") || lower == "p";
    if name != other_name || !of_pages || before.checked_add(1) != Some(first) {
        return None;
    }
    // All but the number stays as it is spelled: links may be signed.
    let (head, tail) = (from[..at].join("&"), from[at + 1..].join("&"));
    let (name, next) = (name.to_string(), next.clone());
    let url = move |number: u64| {
        let number = format!("{name}={number}");
        let parts = [head.as_str(), &number, &tail];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let mut url = next.clone();
        url.set_query(Some(&parts.join("&")));
        url
    };
    Some((first..=end, url))
}

/// The target of the link with a relation, in one header.
fn link<'h>(header: &'h str, relation: &str) -> Option<&'h str> {
    let mut rest = header;
    while let Some((_, inner)) = rest.split_once('<') {
        let (target, after) = inner.split_once('>')?;
        // Parameters reach to the comma before the next link.
        let end = after
            .find(",")
            .filter(|at| after[*at..].contains('<'))
            .unwrap_or(after.len());
        let found = after[..end].split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else {
                return false;
            };
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_whitespace().any(|r| r.eq_ignore_ascii_case(relation))
        });
        if found {
            return Some(target);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn links_of_headers() {
        let next_link = |header| link(header, "next");
        let github = r#"<https://api/x?page=1>; rel="prev", <https://api/x?a=1,2&page=3>; rel="next", <https://api/x?page=9>; rel="last""#;
        assert_eq!(next_link(github), Some("https://api/x?a=1,2&page=3"));
        assert_eq!(next_link(r#"</x>; title="a"; rel=next"#), Some("/x"));
        assert_eq!(
            next_link(r#"</x>; rel="last", </y>; rel="prev next""#),
            Some("/y")
        );
        assert_eq!(next_link(r#"</x>; rel="nextpage""#), None);
        assert_eq!(next_link(""), None);
    }
}
