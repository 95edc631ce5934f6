//! Paging as an option of the request: what the next page is asked with, and what ends the paging.
//!
//! The end is decided here alone, from the page as the API gave it: never by what a filter, a rule or a table left of it, or by
//! a total that the rows contradict; by a short page only where the flow says so.

mod counted;
mod detect;
mod link;
mod page;
mod progress;
mod rest;
mod slips;
mod total;

use sequor_planner::ops::{DataPath, Mark, PageKind, Pagination, ParameterPlace};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;
use detect::detect;
use link::{header_link, next_url};
use progress::{MOST_EMPTY, Progress};
use slips::not_there;

pub use page::Page;

/// What asks for one page.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The number of the page, or the position of its first row.
    at: u64,
    /// Parameters that are set, whatever the request says of them.
    pub parameters: Vec<(String, Value)>,
    pub place: ParameterPlace,
    /// The url of the page, where the API gave it: it has all parameters.
    pub link: Option<Url>,
}

impl Target {
    /// Returns what tells it from those of other pages.
    pub fn key(&self) -> String {
        let link = self.link.as_ref().map(Url::as_str).unwrap_or_default();
        let parameters = self.parameters.iter();
        let parameters: Vec<String> = parameters
            .map(|(name, value)| format!("{name}={}", value.to_json_text()))
            .collect();
        format!("{} {} {link}", self.at, parameters.join("&"))
    }

    /// Tells whether it asks for the same page.
    pub fn is(&self, other: &Target) -> bool {
        (self.at, &self.link) == (other.at, &other.link)
    }
}

/// The pages of one conversation.
pub struct Pages {
    spec: Pagination,
    /// Pages that have come.
    done: u64,
    /// The number or position of the page at hand.
    at: u64,
    mark: Option<Value>,
    link: Option<Url>,
    /// Rows that have come, where they are counted.
    rows: u64,
    /// Rows of the first page.
    first_rows: Option<u64>,
    /// Pages without rows, one after the other.
    empty: u64,
    /// Whether the API gives fewer rows a page than it is asked for.
    capped: bool,
    /// Whether the total was found to be wrong.
    total_is_wrong: bool,
    progress: Progress,
    warnings: Vec<String>,
}

impl Pages {
    /// Returns a paging at its first page.
    pub fn new(spec: &Pagination) -> Pages {
        let at = match spec.kind {
            PageKind::PageNumber { start, .. } | PageKind::Offset { start, .. } => start,
            _ => 0,
        };
        Pages {
            spec: spec.clone(),
            done: 0,
            at,
            mark: None,
            link: None,
            rows: 0,
            first_rows: None,
            empty: 0,
            capped: false,
            total_is_wrong: false,
            progress: Progress::default(),
            warnings: Vec::new(),
        }
    }

    /// Returns the path of the page's list of rows, where the paging says it.
    pub fn rows_path(&self) -> Option<&DataPath> {
        self.spec.rows.as_ref()
    }

    /// Returns the statuses that mean that there is no such page; none for the first.
    pub fn past_the_end(&self) -> &[u16] {
        match self.done {
            0 => &[],
            _ => &self.spec.stop_status,
        }
    }

    /// Returns the number of the page at hand, from 1.
    pub fn number(&self) -> u64 {
        self.done + 1
    }

    /// Tells whether the page at hand may not be there: its number was counted, and none named it.
    pub fn may_be_past_the_end(&self) -> bool {
        self.done > 0
            && matches!(
                self.spec.kind,
                PageKind::PageNumber { .. } | PageKind::Offset { .. }
            )
    }

    /// Returns what asks for the page at hand.
    pub fn target(&self) -> Target {
        let first = self.done == 0 && self.spec.first_without;
        Target {
            at: self.at,
            parameters: if first {
                Vec::new()
            } else {
                self.parameters(self.at)
            },
            place: self.spec.place,
            link: self.link.clone(),
        }
    }

    fn parameters(&self, at: u64) -> Vec<(String, Value)> {
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let mut parameters = Vec::new();
        match &self.spec.kind {
            PageKind::PageNumber {
                param,
                size,
                size_param,
                ..
            } => {
                parameters.push((param.clone(), number(at)));
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
                parameters.push((param.clone(), number(at)));
                parameters.push((size_param.clone(), number(*size)));
            }
            PageKind::Cursor { param, .. } => {
                parameters.extend(self.mark.clone().map(|mark| (param.clone(), mark)));
            }
            PageKind::JsonLink { .. } | PageKind::HeaderLink | PageKind::SinglePage | PageKind::Auto => {}
        }
        parameters
    }

    /// Returns the code that gives the mark of the next page, where it is Python's.
    pub fn mark_code(&self) -> Option<&sequor_planner::expr::Prop> {
        match &self.spec.kind {
            PageKind::Cursor {
                mark: Mark::Code(code),
                ..
            } => Some(code),
            _ => None,
        }
    }

    /// Returns what is to be told, once.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Goes on to the next page; false when there is none. `mark`: what [`Pages::mark_code`] gave.
    ///
    /// # Errors
    /// A page that is the same as the one before it, a mark or link that was used before, and a path that leads to
    /// nothing: the paging would go on for ever, or end too early.
    pub fn advance(&mut self, page: &Page, mark: Option<Value>) -> Result<bool> {
        self.done += 1;
        let help = self.reason();
        self.progress.check(page, self.done, &help)?;
        let rows = page.rows_or_taken();
        self.rows += rows.unwrap_or(0);
        self.empty = if rows == Some(0) { self.empty + 1 } else { 0 };
        if self.done == 1 {
            self.first_rows = rows;
            self.check_rows_path(page)?;
        }
        if self.spec.max_pages.is_some_and(|max| self.done >= max) {
            return Ok(false);
        }
        if self.spec.kind == PageKind::Auto {
            self.spec.kind = detect(&page.response, rows)?;
            if let PageKind::PageNumber { start, .. } = self.spec.kind {
                self.at = start;
            }
        }
        let more = self.has_more(page)?;
        if more == Some(false) {
            return Ok(false);
        }
        let goes_on = match self.spec.kind.clone() {
            PageKind::PageNumber { .. } | PageKind::Offset { .. } => self.counts_on(page, more)?,
            PageKind::Cursor { mark: place, .. } => self.marked(page, &place, mark)?,
            PageKind::JsonLink { path } => {
                let next = page.at(&path).filter(|v| !is_nothing(v));
                if next.is_none() {
                    self.look_for("next_path", &path, page);
                }
                match &next {
                    None => false,
                    Some(Value::Text(next)) => self.follow(page, Some(next))?,
                    Some(other) => {
                        let message = format!(
                            "`next_path` is `{path}`, and what is there is {}, no url",
                            other.kind()
                        );
                        return Err(Error::new(ErrorKind::Data, message)
                            .help("lead the path to the text of the url: `links.next.href`"));
                    }
                }
            }
            PageKind::HeaderLink => self.follow(page, header_link(&page.response, "next"))?,
            PageKind::SinglePage | PageKind::Auto => false,
        };
        if !goes_on && more == Some(true) && !matches!(self.spec.kind, PageKind::SinglePage) {
            let message = format!(
                "page {} says by `has_more_path` that there are more pages, and not how to ask for the next",
                self.done
            );
            return Err(Error::new(ErrorKind::Data, message).help("check the path of the mark or the link"));
        }
        if goes_on && self.empty >= MOST_EMPTY {
            let message = format!(
                "{MOST_EMPTY} pages without rows came one after the other, and still another is named"
            );
            return Err(
                Error::new(ErrorKind::Limit, message).help("if that is as it should be, give `max_pages`")
            );
        }
        Ok(goes_on)
    }

    /// What may be the reason where a page comes twice.
    fn reason(&self) -> String {
        match &self.spec.kind {
            PageKind::PageNumber { param, .. }
            | PageKind::Offset { param, .. }
            | PageKind::Cursor { param, .. } => {
                format!("the API may take no parameter `{param}`: check `param` and `in` of `pagination`")
            }
            _ => "the API leads to the same page again: check the `type` of `pagination`".into(),
        }
    }

    /// Whether the response says that there is another page; none where it says nothing of it.
    fn has_more(&self, page: &Page) -> Result<Option<bool>> {
        let Some(path) = &self.spec.has_more else {
            return Ok(None);
        };
        match page.at(path) {
            Some(Value::Text(text)) => {
                let text = text.trim();
                Ok(Some(
                    !(text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false")),
                ))
            }
            Some(value) => Ok(Some(value.is_true())),
            // A path that never led anywhere is a slip; what is left out later is the end.
            None if self.done == 1 && !page.is_empty() => Err(not_there("has_more_path", path, page)),
            None => Ok(Some(false)),
        }
    }

    /// # Errors
    /// A `rows_path` that leads to nothing in a first page that has something.
    fn check_rows_path(&self, page: &Page) -> Result<()> {
        match &self.spec.rows {
            Some(path) if page.at(path).is_none() && !page.body_is_empty() => {
                Err(not_there("rows_path", path, page))
            }
            _ => Ok(()),
        }
    }

    /// Takes the mark of the next page.
    fn marked(&mut self, page: &Page, place: &Mark, computed: Option<Value>) -> Result<bool> {
        let mark = match place {
            Mark::Path(path) => page.at(path),
            Mark::Header(name) => {
                let value = page.response.headers.get(name.as_str());
                value.map(|value| Value::text(String::from_utf8_lossy(value.as_bytes())))
            }
            Mark::Code(_) => computed,
        };
        self.mark = mark.filter(|mark| !is_nothing(mark));
        let Some(mark) = &self.mark else {
            match place {
                Mark::Path(path) => self.look_for("cursor_path", path, page),
                Mark::Header(name) => self.look_for_header(name, page),
                Mark::Code(_) => {}
            }
            return Ok(false);
        };
        let text = mark.to_json_text();
        match self.progress.note(&text) {
            true => Ok(true),
            false => {
                let message = format!(
                    "page {} names the mark `{text}` for the next page, which was used before",
                    self.done
                );
                Err(Error::new(ErrorKind::Limit, message).help(self.reason()))
            }
        }
    }

    /// Takes the url of the next page.
    fn follow(&mut self, page: &Page, next: Option<&str>) -> Result<bool> {
        let Some(next) = next else { return Ok(false) };
        let url = next_url(&page.response, next)?;
        self.progress.note(page.response.url.as_str());
        if !self.progress.note(url.as_str()) {
            let message = format!(
                "page {} names as the next page one that came before: {}",
                self.done,
                crate::exchange::shown_url(&url)
            );
            return Err(Error::new(ErrorKind::Limit, message).help(self.reason()));
        }
        self.link = Some(url);
        Ok(true)
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}
