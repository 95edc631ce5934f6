//! Paging as an option of the request: what the next page is asked with.

use std::ops::RangeInclusive;

use bytes::Bytes;
use reqwest::header::LINK;
use sequor_planner::expr::PathStep;
use sequor_planner::ops::{PageKind, Pagination};
use url::Url;

use super::detect::detect;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::excerpt;
use crate::exchange::{Request, Response};
use crate::value::Value;
use crate::value::json::value_at;

/// The pages of one conversation.
#[derive(Clone)]
pub struct Pages {
    spec: Pagination,
    /// Pages that have come.
    done: u64,
    /// The number or position of the page at hand.
    at: u64,
    cursor: Option<Value>,
    link: Option<Url>,
    /// What was asked last, so that the same is not asked again for ever.
    last: Option<(Url, Option<Bytes>)>,
    /// Rows that have come, where they are counted.
    rows: u64,
    /// The last body, where the paging was guessed: an API that does not know its parameter gives the same again.
    guessed: Option<Bytes>,
}

impl Pages {
    pub fn new(spec: &Pagination) -> Pages {
        let at = match spec.kind {
            PageKind::PageNumber { start, .. } | PageKind::Offset { start, .. } => start,
            _ => 0,
        };
        Pages {
            spec: spec.clone(),
            done: 0,
            at,
            cursor: None,
            link: None,
            last: None,
            rows: 0,
            guessed: None,
        }
    }

    /// Tells whether the parameters go into the body.
    pub fn in_body(&self) -> bool {
        self.spec.in_body
    }

    /// Returns the url of the page, where the API gave it: it has all parameters.
    pub fn link(&self) -> Option<&Url> {
        self.link.as_ref()
    }

    /// Returns the parameters that ask for the page.
    pub fn parameters(&self) -> Vec<(String, Value)> {
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let mut parameters = Vec::new();
        match &self.spec.kind {
            PageKind::PageNumber {
                param,
                size,
                size_param,
                ..
            } => {
                parameters.push((param.clone(), number(self.at)));
                if let (Some(size), Some(size_param)) = (size, size_param) {
                    parameters.push((size_param.clone(), number(*size)));
                }
            }
            PageKind::Offset {
                param,
                size,
                size_param,
                ..
            } => {
                parameters.push((param.clone(), number(self.at)));
                parameters.push((size_param.clone(), number(*size)));
            }
            PageKind::Cursor { param, .. } => {
                parameters.extend(self.cursor.clone().map(|cursor| (param.clone(), cursor)));
            }
            PageKind::JsonLink { .. } | PageKind::HeaderLink | PageKind::SinglePage | PageKind::Auto => {}
        }
        parameters
    }

    /// Looks at a request about to be sent.
    ///
    /// # Errors
    /// One that is the same as the last: it would be so for ever.
    pub fn check(&mut self, request: &Request) -> Result<()> {
        let now = (request.url.clone(), request.body.clone());
        if self.last.as_ref() == Some(&now) {
            let message = format!(
                "page {} is asked for exactly as the page before it",
                self.done + 1
            );
            return Err(Error::new(ErrorKind::Limit, message)
                .help("check that `url` and `parameters` do not overwrite what `pagination` sets"));
        }
        self.last = Some(now);
        Ok(())
    }

    /// Goes on to the next page; false when there is none. `rows`: how many the page had, where that is known.
    pub fn advance(&mut self, response: &Response, rows: Option<u64>) -> Result<bool> {
        self.done += 1;
        if self.spec.max_pages.is_some_and(|max| self.done >= max) {
            return Ok(false);
        }
        let body = &response.body;
        self.rows += rows.unwrap_or(0);
        if self.spec.kind == PageKind::Auto {
            self.spec.kind = detect(response, rows)?;
            if let PageKind::PageNumber { start, .. } = self.spec.kind {
                self.at = start;
            }
            self.guessed = Some(body.clone());
        } else if let Some(before) = &self.guessed {
            // A guessed parameter that the API does not know shows in a page that comes twice.
            if matches!(self.spec.kind, PageKind::PageNumber { .. }) && before == body && !body.is_empty() {
                let message = format!("page {} is the same as the page before it", self.done);
                return Err(Error::new(ErrorKind::Limit, message).help(
                    "the API takes no parameter `page`: give the `type` of pagination and its `param`",
                ));
            }
            self.guessed = Some(body.clone());
        }
        Ok(match &self.spec.kind {
            PageKind::PageNumber {
                start,
                size,
                total_pages,
                ..
            } => {
                let total = total_pages.as_ref().map(|path| count(body, path)).transpose()?;
                let last = total.map(|total| self.at.saturating_add(1) >= start.saturating_add(total));
                // Where the number of pages is known, one may be short for reasons of its own.
                let full = size.filter(|_| total.is_none()).unwrap_or(1);
                self.at = self.at.saturating_add(1);
                !ended(last, rows.map(|rows| rows < full))?
            }
            PageKind::Offset { size, total, .. } => {
                let total = total.as_ref().map(|path| count(body, path)).transpose()?;
                let here = self.at;
                self.at = here.saturating_add(*size);
                let last = total.map(|total| self.at >= total);
                if let (Some(total), Some(rows)) = (total, rows)
                    && self.done == 1
                    && (1..*size).contains(&rows)
                    && rows < total.saturating_sub(here)
                {
                    let message = format!(
                        "the first page has {rows} rows of {total}, and `size` is {size}: the API gives smaller pages"
                    );
                    return Err(Error::new(ErrorKind::Data, message).help(format!(
                        "set `size: {rows}`, or ask for larger pages if the API has them"
                    )));
                }
                let full = if total.is_some() { 1 } else { *size };
                !ended(last, rows.map(|rows| rows < full))?
            }
            PageKind::Cursor { path, .. } => {
                self.cursor = value_at(body, path).filter(|v| !is_nothing(v));
                self.cursor.is_some()
            }
            PageKind::JsonLink { path } => {
                let next = value_at(body, path).filter(|v| !is_nothing(v));
                self.follow(response, next.map(|next| next.to_text()).as_deref())?
            }
            PageKind::HeaderLink => self.follow(response, header_link(response, "next"))?,
            PageKind::SinglePage | PageKind::Auto => false,
        })
    }

    /// Returns all pages from the one at hand on, when the response said how many there are: they can be asked for at
    /// the same time.
    pub fn rest(&self, response: &Response) -> Result<Option<Box<dyn Iterator<Item = Pages> + Send>>> {
        let body = &response.body;
        let most = self.spec.max_pages.map_or(u64::MAX, |max| max - self.done);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (step, end) = match &self.spec.kind {
            PageKind::PageNumber {
                start,
                total_pages: Some(path),
                ..
            } => (1, start.saturating_add(count(body, path)?)),
            PageKind::Offset {
                size,
                total: Some(path),
                ..
            } => (*size, count(body, path)?),
            PageKind::HeaderLink => {
                let last = self.link.as_ref().and_then(|next| numbered(response, next));
                let Some((numbers, url)) = last else {
                    return Ok(None);
                };
                let first = self.clone();
                return Ok(Some(Box::new(numbers.take(most).map(move |number| Pages {
                    link: Some(url(number)),
                    ..first.clone()
                }))));
            }
            _ => return Ok(None),
        };
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let first = self.clone();
        let positions = (self.at..end).step_by(step).take(most);
        Ok(Some(Box::new(
            positions.map(move |at| Pages { at, ..first.clone() }),
        )))
    }

    /// Returns what is to be said about rows that did not come, when there are no more pages.
    pub fn missing(&self, response: &Response) -> Option<String> {
        let PageKind::Offset {
            total: Some(path),
            start,
            ..
        } = &self.spec.kind
        else {
            return None;
        };
        let total = count(&response.body, path).ok()?.saturating_sub(*start);
        let cut = self.spec.max_pages.is_some_and(|max| self.done >= max);
        (self.rows > 0 && self.rows < total && !cut)
            .then(|| format!("{} rows came, and the API says that there are {total}", self.rows))
    }

    /// Takes the url of the next page. It may not lead to another host: credentials go along.
    fn follow(&mut self, response: &Response, next: Option<&str>) -> Result<bool> {
        let Some(next) = next else { return Ok(false) };
        let url = response.url.join(next).map_err(|e| {
            Error::new(
                ErrorKind::Data,
                format!("the next page, `{next}`, is not a url: {e}"),
            )
        })?;
        if url.origin() != response.url.origin() {
            let message = format!(
                "the next page is at another server, {}, than this one, {}",
                url.origin().ascii_serialization(),
                response.url.origin().ascii_serialization()
            );
            return Err(
                Error::new(ErrorKind::Data, message).help("credentials are not sent to other servers")
            );
        }
        self.link = Some(url);
        Ok(true)
    }
}

/// Whether the pages are over, from what is known about it.
fn ended(last: Option<bool>, short: Option<bool>) -> Result<bool> {
    match (last, short) {
        (None, None) => Err(
            Error::new(ErrorKind::Data, "nothing tells which page is the last")
                .help("give the path of the total, or load the rows into a table"),
        ),
        // An empty page ends what a wrong total would not.
        (last, short) => Ok(last.unwrap_or(false) || short.unwrap_or(false)),
    }
}

fn count(body: &[u8], path: &[PathStep]) -> Result<u64> {
    let value = value_at(body, path);
    let count = match &value {
        Some(Value::Int(n)) => u64::try_from(*n).ok(),
        Some(Value::Text(text)) => text.trim().parse().ok(),
        _ => None,
    };
    count.ok_or_else(|| {
        let found = value.map_or("nothing".to_string(), |v| v.to_text());
        let path: Vec<String> = path
            .iter()
            .map(|step| match step {
                PathStep::Key(key) => key.clone(),
                PathStep::Index(index) => format!("[{index}]"),
            })
            .collect();
        let message = format!(
            "the total of `pagination` must be a number, and `{}` of the response is {found}",
            path.join(".")
        );
        Error::new(ErrorKind::Data, message).help(format!("the response starts with: {}", excerpt(body)))
    })
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Returns the target of the link with a relation, in the headers `Link` (RFC 8288).
pub(super) fn header_link<'r>(response: &'r Response, relation: &str) -> Option<&'r str> {
    let headers = response.headers.get_all(LINK).iter();
    headers
        .filter_map(|h| h.to_str().ok())
        .find_map(|header| link(header, relation))
}

/// The numbers of the pages from `next` to the one that the response calls the last, and the url of each; none where the
/// two urls do not differ in the number of the page alone. Positions and marks have other distances than one.
fn numbered(
    response: &Response,
    next: &Url,
) -> Option<(RangeInclusive<u64>, impl Fn(u64) -> Url + Send + 'static)> {
    let last = response.url.join(header_link(response, "last")?).ok()?;
    let pairs = |url: &Url| -> Vec<(String, String)> { url.query_pairs().into_owned().collect() };
    let (from, to) = (pairs(next), pairs(&last));
    let same_page = last.origin() == next.origin() && last.path() == next.path() && from.len() == to.len();
    let mut other = from.iter().zip(&to).enumerate().filter(|(_, (a, b))| a != b);
    let at = match (other.next(), other.next()) {
        (Some((at, (a, b))), None) if same_page && a.0 == b.0 => at,
        _ => return None,
    };
    let (first, end): (u64, u64) = (from[at].1.parse().ok()?, to[at].1.parse().ok()?);
    let name = from[at].0.to_ascii_lowercase();
    let asked = response.url.query_pairs().find(|(name, _)| *name == from[at].0);
    let before = asked.map_or(Some(1), |(_, number)| number.parse::<u64>().ok())?;
    if !(name.contains("page") || name == "p") || before.checked_add(1) != Some(first) {
        return None;
    }
    let next = next.clone();
    let url = move |number: u64| {
        let mut url = next.clone();
        let mut pairs = from.clone();
        pairs[at].1 = number.to_string();
        url.query_pairs_mut().clear().extend_pairs(pairs);
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
