//! `pagination`: how an API gives its rows page by page.

use serde::{Deserialize, Serialize};

use super::data_path;
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::PathStep;
use crate::syntax::{Form, Key, Keys, Node, Shape, tagged};

/// How the next page is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pagination {
    pub kind: PageKind,
    /// Pages at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pages: Option<u64>,
    /// Whether the parameters go into the body instead of the query string.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_body: bool,
}

impl Pagination {
    /// Tells whether a response may say how many pages there are, so that the others can be asked for at the same
    /// time.
    pub fn tells_count(&self) -> bool {
        match &self.kind {
            PageKind::PageNumber { total_pages, .. } => total_pages.is_some(),
            PageKind::Offset { total, .. } => total.is_some(),
            PageKind::Auto | PageKind::HeaderLink => true,
            _ => false,
        }
    }
}

/// What tells the next page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// Pages have numbers.
    PageNumber {
        start: u64,
        param: String,
        size: Option<u64>,
        size_param: Option<String>,
        total_pages: Option<Vec<PathStep>>,
    },
    /// Rows have positions.
    Offset {
        start: u64,
        size: u64,
        param: String,
        size_param: String,
        total: Option<Vec<PathStep>>,
    },
    /// Each response has a mark for the next.
    Cursor { path: Vec<PathStep>, param: String },
    /// Each response has the url of the next.
    JsonLink { path: Vec<PathStep> },
    /// The header `Link` has the url of the next (RFC 8288).
    HeaderLink,
    /// There is one page.
    SinglePage,
    /// The first response shows which of the others it is.
    Auto,
}

static COMMON: Shape = Shape {
    what: "`pagination`",
    doc: "How the API gives its rows page by page.",
    with: &[],
    keys: &[
        Key::new("type", Form::Name, "What tells the next page.").required(),
        Key::new("max_pages", Form::Whole, "How many pages are asked for at most."),
        Key::new(
            "in",
            Form::Choice(&["query", "body"]),
            "Where the parameters go; query when left out.",
        ),
    ],
};

/// Every type of pagination.
pub static PAGINATIONS: &[(&str, &Shape)] = &[
    (
        "page_number",
        &Shape {
            what: "`pagination` of type page_number",
            doc: "Pages have numbers. It ends with an empty page, one with fewer rows than `size`, or the last of `total_pages_path`.",
            with: &[&COMMON],
            keys: &[
                Key::new(
                    "start",
                    Form::Count,
                    "The number of the first page; 1 when left out.",
                ),
                Key::new(
                    "param",
                    Form::Name,
                    "The parameter that holds the number; page when left out.",
                )
                .deferred(),
                Key::new("size", Form::Whole, "How many rows a page has."),
                Key::new(
                    "size_param",
                    Form::Name,
                    "The parameter that asks for so many rows.",
                )
                .deferred(),
                Key::new(
                    "total_pages_path",
                    Form::Path,
                    "Where the response says how many pages there are.",
                ),
            ],
        },
    ),
    (
        "offset",
        &Shape {
            what: "`pagination` of type offset",
            doc: "Rows have positions. It ends with an empty page, one with fewer rows than `size`, or at the total of `total_path`.",
            with: &[&COMMON],
            keys: &[
                Key::new(
                    "start",
                    Form::Count,
                    "The position of the first row; 0 when left out.",
                ),
                Key::new("size", Form::Whole, "How many rows a page has.").required(),
                Key::new(
                    "param",
                    Form::Name,
                    "The parameter that holds the position; offset when left out.",
                )
                .deferred(),
                Key::new(
                    "size_param",
                    Form::Name,
                    "The parameter that holds the size; limit when left out.",
                )
                .deferred(),
                Key::new(
                    "total_path",
                    Form::Path,
                    "Where the response says how many rows there are.",
                ),
            ],
        },
    ),
    (
        "cursor",
        &Shape {
            what: "`pagination` of type cursor",
            doc: "Each response has a mark for the next page. It ends when there is none.",
            with: &[&COMMON],
            keys: &[
                Key::new("cursor_path", Form::Path, "Where the mark is in the response.").required(),
                Key::new(
                    "param",
                    Form::Name,
                    "The parameter that holds it; cursor when left out.",
                )
                .deferred(),
            ],
        },
    ),
    (
        "json_link",
        &Shape {
            what: "`pagination` of type json_link",
            doc: "Each response has the url of the next page. It ends when there is none.",
            with: &[&COMMON],
            keys: &[Key::new("next_path", Form::Path, "Where the url is in the response.").required()],
        },
    ),
    (
        "header_link",
        &Shape {
            what: "`pagination` of type header_link",
            doc: "The header `Link` has the url of the next page (RFC 8288). It ends when there is none. Where it has that of the last, too, the pages between are asked for at the same time.",
            with: &[&COMMON],
            keys: &[],
        },
    ),
    (
        "single_page",
        &Shape {
            what: "`pagination` of type single_page",
            doc: "There is one page.",
            with: &[&COMMON],
            keys: &[],
        },
    ),
    (
        "auto",
        &Shape {
            what: "`pagination` of type auto",
            doc: "The first response shows how to go on: a link in the header `Link` or in the JSON, a cursor, or a count of pages, under the names that APIs use for them.",
            with: &[&COMMON],
            keys: &[],
        },
    ),
];

/// Reads `pagination`.
pub fn read(node: &Node, d: &mut Diagnostics) -> Option<Pagination> {
    let (kind, shape, _) = tagged(node, "`pagination`", "type", PAGINATIONS, Code::BadValue, d)?;
    let keys = Keys::new(node, shape, d)?;
    let max_pages = keys.whole("max_pages", d);
    let name = |key: &str, default: &str, d: &mut Diagnostics| {
        keys.name(key, d)
            .map_or_else(|| default.to_string(), |(name, _)| name)
    };
    let path = |key: &str, d: &mut Diagnostics| -> Option<Option<Vec<PathStep>>> {
        match keys.has(key) {
            true => data_path::path(&keys, key, d).map(Some),
            false => Some(None),
        }
    };
    let kind = match kind {
        "page_number" => PageKind::PageNumber {
            start: keys.count("start", d).unwrap_or(1),
            param: name("param", "page", d),
            size: keys.whole("size", d),
            size_param: keys.name("size_param", d).map(|(name, _)| name),
            total_pages: path("total_pages_path", d)?,
        },
        "offset" => PageKind::Offset {
            start: keys.count("start", d).unwrap_or(0),
            param: name("param", "offset", d),
            size_param: name("size_param", "limit", d),
            total: path("total_path", d)?,
            size: match keys.defers("size", d) {
                true => 1,
                false => keys.whole("size", d)?,
            },
        },
        "cursor" => PageKind::Cursor {
            param: name("param", "cursor", d),
            path: path("cursor_path", d)??,
        },
        "json_link" => PageKind::JsonLink {
            path: path("next_path", d)??,
        },
        "header_link" => PageKind::HeaderLink,
        "auto" => PageKind::Auto,
        _ => PageKind::SinglePage,
    };
    Some(Pagination {
        kind,
        max_pages,
        in_body: keys.choice("in", d) == Some("body"),
    })
}
