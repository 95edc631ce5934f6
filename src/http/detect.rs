//! Paging that shows itself: what a first response says about the next, under the names that APIs use for it.

use sequor_planner::expr::PathStep;
use sequor_planner::ops::PageKind;

use super::paging::header_link;
use crate::batch::json::value_at;
use crate::exchange::Response;
use crate::value::Value;

/// Where the url of the next page is, or a mark for it.
const NEXT: [&str; 24] = [
    "next",
    "next_url",
    "next_page_url",
    "nextPageUrl",
    "nextLink",
    "@odata.nextLink",
    "nextRecordsUrl",
    "links.next",
    "links.next.href",
    "_links.next",
    "_links.next.href",
    "meta.next",
    "meta.links.next",
    "meta.next_url",
    "paging.next",
    "paging.next.link",
    "pagination.next",
    "pagination.next_url",
    "pagination.next_page_url",
    "pagination.links.next",
    "response.next",
    "info.next",
    "page.next",
    "d.__next",
];

/// Where a mark for the next page is, and the parameter that takes it.
const CURSORS: [(&str, &str); 22] = [
    ("next_cursor", "cursor"),
    ("nextCursor", "cursor"),
    ("meta.next_cursor", "cursor"),
    ("meta.cursor.next", "cursor"),
    ("cursor.next", "cursor"),
    ("cursors.next", "cursor"),
    ("pagination.next_cursor", "cursor"),
    ("pagination.cursor", "cursor"),
    ("pagination.nextCursor", "cursor"),
    ("paging.next_cursor", "cursor"),
    ("response_metadata.next_cursor", "cursor"),
    ("paging.cursors.after", "after"),
    ("paging.next.after", "after"),
    ("meta.after", "after"),
    ("after", "after"),
    ("next_page_token", "page_token"),
    ("nextPageToken", "pageToken"),
    ("meta.next_token", "pagination_token"),
    ("next_token", "next_token"),
    ("nextToken", "nextToken"),
    ("continuation_token", "continuation_token"),
    ("offset", "offset"),
];

/// Where the number of pages is.
const TOTALS: [&str; 16] = [
    "total_pages",
    "totalPages",
    "page_count",
    "pageCount",
    "last_page",
    "meta.total_pages",
    "meta.totalPages",
    "meta.page_count",
    "meta.last_page",
    "meta.pagination.total_pages",
    "pagination.total_pages",
    "pagination.totalPages",
    "pagination.page_count",
    "paging.total_pages",
    "page.totalPages",
    "info.pages",
];

/// The kind of paging that a response shows; a single page when it shows none.
pub fn detect(response: &Response) -> PageKind {
    if header_link(response, "next").is_some() {
        return PageKind::HeaderLink;
    }
    let body = value_at(&response.body, &[]);
    let at = |path: &str| {
        let mut value = body.as_ref()?;
        for key in keys(path) {
            let Value::Map(entries) = value else { return None };
            value = entries.get(key)?;
        }
        Some(value)
    };
    let text = |path: &str| match at(path) {
        Some(Value::Text(text)) if !text.trim().is_empty() => Some(text.to_string()),
        _ => None,
    };
    let is_link = |text: &str| text.starts_with("http") || text.starts_with(['/', '?']);
    for path in NEXT {
        if text(path).is_some_and(|text| is_link(&text)) {
            return PageKind::JsonLink { path: steps(path) };
        }
    }
    for (path, param) in CURSORS {
        if text(path).is_some() {
            return PageKind::Cursor {
                path: steps(path),
                param: param.to_string(),
            };
        }
    }
    for path in TOTALS {
        if matches!(at(path), Some(Value::Int(pages)) if *pages > 1) {
            return PageKind::PageNumber {
                start: 1,
                param: "page".into(),
                size: None,
                size_param: None,
                total_pages: Some(steps(path)),
            };
        }
    }
    PageKind::SinglePage
}

/// The keys of a path; `@odata.nextLink` is one key.
fn keys(path: &str) -> impl Iterator<Item = &str> {
    let whole = path.starts_with('@');
    path.split(move |c| c == '.' && !whole)
}

fn steps(path: &str) -> Vec<PathStep> {
    keys(path).map(|key| PathStep::Key(key.to_string())).collect()
}
