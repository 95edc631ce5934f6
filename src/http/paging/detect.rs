//! Paging that shows itself: what a first response says about the next, under the names that APIs use for it.

use sequor_planner::expr::PathStep;
use sequor_planner::ops::{DataPath, Mark, PageKind};

use super::link::header_link;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::value::Value;
use crate::value::json::value_at;

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
const TOTALS: [&str; 18] = [
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
    "meta.pages",
    "pagination.pages",
];

/// Where it says that there are more pages.
const MORE: [&str; 10] = [
    "has_more",
    "hasMore",
    "has_next",
    "hasNext",
    "more",
    "meta.has_more",
    "meta.has_next",
    "pagination.has_more",
    "pagination.has_next",
    "paging.has_more",
];

/// Where the number of all rows is.
const COUNTS: [&str; 9] = [
    "total",
    "total_count",
    "totalCount",
    "total_results",
    "count",
    "meta.total",
    "meta.total_count",
    "pagination.total",
    "paging.total",
];

/// Sizes of pages, beside a total.
const SIZES: [&str; 6] = ["limit", "per_page", "perPage", "page_size", "pageSize", "size"];

/// Returns the kind of paging that a response shows; a single page when it shows none. `rows`: how many it has.
///
/// # Errors
/// When the response says that there is more, and not how to ask for it.
pub fn detect(response: &Response, rows: Option<u64>) -> Result<PageKind> {
    if header_link(response, "next").is_some() {
        return Ok(PageKind::HeaderLink);
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
            return Ok(PageKind::JsonLink {
                path: DataPath::Steps(steps(path)),
            });
        }
    }
    for (path, param) in CURSORS {
        if text(path).is_some() {
            return Ok(PageKind::Cursor {
                mark: Mark::Path(DataPath::Steps(steps(path))),
                param: param.to_string(),
            });
        }
    }
    for path in TOTALS {
        if matches!(at(path), Some(Value::Int(pages)) if *pages > 1) {
            return Ok(PageKind::PageNumber {
                start: 1,
                param: "page".into(),
                size: None,
                size_param: None,
                total_pages: Some(DataPath::Steps(steps(path))),
            });
        }
    }
    let number = |path: &str| match at(path) {
        Some(Value::Int(n)) => u64::try_from(*n).ok(),
        _ => None,
    };
    // A total beside the position and the size of this page.
    let total = COUNTS.iter().find_map(|path| Some((*path, number(path)?)));
    let total = total.filter(|(_, total)| rows.is_some_and(|rows| *total > rows));
    if let Some((path, _)) = total {
        let around = path
            .rsplit_once('.')
            .map_or(String::new(), |(above, _)| format!("{above}."));
        let beside = |name: &str| number(&format!("{around}{name}")).map(|n| (name.to_string(), n));
        let size = SIZES
            .iter()
            .find_map(|name| beside(name))
            .filter(|(_, size)| *size > 0);
        if let (Some((size_param, size)), Some((param, start))) = (&size, beside("offset")) {
            return Ok(PageKind::Offset {
                start,
                size: *size,
                param,
                size_param: size_param.clone(),
                total: Some(DataPath::Steps(steps(path))),
            });
        }
        if let (Some((size_param, size)), Some((param, start))) = (size, beside("page")) {
            return Ok(PageKind::PageNumber {
                start,
                param,
                size: Some(size),
                size_param: Some(size_param),
                total_pages: None,
            });
        }
    }
    let more = MORE
        .iter()
        .find(|path| matches!(at(path), Some(Value::Bool(true))));
    let says = match (more, total) {
        (Some(path), _) => format!("`{path}` is true"),
        (None, Some((path, total))) => format!("`{path}` is {total}"),
        (None, None) => return Ok(PageKind::SinglePage),
    };
    let message =
        format!("the response says that there are more pages ({says}), and not in a way that is known here");
    Err(Error::new(ErrorKind::Data, message)
        .help("say how to ask for the next page by another `type` of `pagination`, or by `while`"))
}

/// The keys of a path; `@odata.nextLink` is one key.
fn keys(path: &str) -> impl Iterator<Item = &str> {
    let whole = path.starts_with('@');
    path.split(move |c| c == '.' && !whole)
}

fn steps(path: &str) -> Vec<PathStep> {
    keys(path).map(|key| PathStep::Key(key.to_string())).collect()
}
