//! `pagination`: how an API gives its rows page by page.

mod shapes;

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{Prop, each_prop, each_prop_of_variants};
use crate::syntax::data_path::{self, DataPath};
use crate::syntax::{Keys, Node, read_statuses, tagged};

pub use shapes::PAGINATIONS;

/// How the next page is asked for, and what ends the paging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pagination {
    pub kind: PageKind,
    /// Pages at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pages: Option<u64>,
    /// Where the parameters go.
    #[serde(default, skip_serializing_if = "ParameterPlace::is_query")]
    pub place: ParameterPlace,
    /// Whether the first request goes without them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_without: bool,
    /// Where the page's list of rows is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<DataPath>,
    /// Whether a page with fewer rows than `size` is the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stops_on_short_page: bool,
    /// Where the response says whether there is another page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_more: Option<DataPath>,
    /// Statuses that mean: past the last page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_status: Vec<u16>,
}

/// Where the parameters of a paging go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterPlace {
    #[default]
    Query,
    /// Their names are paths.
    Body,
    Header,
}

impl ParameterPlace {
    fn is_query(&self) -> bool {
        *self == ParameterPlace::Query
    }
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

    /// Returns the names of the parameters that it sets.
    pub fn parameters(&self) -> Vec<&str> {
        match &self.kind {
            PageKind::PageNumber {
                param, size_param, ..
            } => [Some(param), size_param.as_ref()]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect(),
            PageKind::Offset {
                param, size_param, ..
            } => vec![param, size_param],
            PageKind::Cursor { param, .. } => vec![param],
            PageKind::JsonLink { .. } | PageKind::HeaderLink | PageKind::SinglePage | PageKind::Auto => {
                Vec::new()
            }
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
        total_pages: Option<DataPath>,
    },
    /// Rows have positions.
    Offset {
        start: u64,
        size: u64,
        param: String,
        size_param: String,
        total: Option<DataPath>,
    },
    /// Each response has a mark for the next.
    Cursor { mark: Mark, param: String },
    /// Each response has the url of the next.
    JsonLink { path: DataPath },
    /// The header `Link` has the url of the next (RFC 8288).
    HeaderLink,
    /// There is one page.
    SinglePage,
    /// The first response shows which of the others it is.
    Auto,
}

/// Where the mark for the next page is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Path(DataPath),
    /// In a response header.
    Header(String),
    /// Python computes it from the response.
    Code(Prop),
}

each_prop! { Pagination { kind; max_pages, place, first_without, rows, stops_on_short_page, has_more, stop_status } }
each_prop_of_variants! { PageKind { Cursor { mark; param }, } else { PageNumber, Offset, JsonLink, HeaderLink, SinglePage, Auto } }
each_prop_of_variants! { Mark { @Code, } else { Path, Header } }

/// Reads `pagination`.
pub fn read(node: &Node, d: &mut Diagnostics) -> Option<Pagination> {
    let (kind, shape, _) = tagged(node, "`pagination`", "type", PAGINATIONS, Code::BadValue, d)?;
    let keys = Keys::new(node, shape, d)?;
    // A type has not all of these keys.
    let knows = |key: &str| shape.key(key).is_some();
    let path = |key: &str, d: &mut Diagnostics| -> Option<Option<DataPath>> {
        match knows(key) && keys.has(key) {
            true => data_path::read(&keys, key, d).map(Some),
            false => Some(None),
        }
    };
    let max_pages = if knows("max_pages") {
        keys.whole("max_pages", d)
    } else {
        None
    };
    let rows = path("rows_path", d)?;
    let has_more = path("has_more_path", d)?;
    let place = match knows("in").then(|| keys.choice("in", d)).flatten() {
        Some("body") => ParameterPlace::Body,
        Some("header") => ParameterPlace::Header,
        _ => ParameterPlace::Query,
    };
    let first_without =
        knows("inject_on_first_request") && keys.flag("inject_on_first_request", d) == Some(false);
    let stops_on_short_page = knows("stop_on") && keys.choice("stop_on", d) == Some("short_page");
    if stops_on_short_page && !keys.has("size") {
        let place = keys.place_of("stop_on").cloned();
        d.error(
            Code::BadValue,
            place,
            "`stop_on: short_page` needs to know how many rows a page has",
        )
        .help("add `size`");
    }
    let stop_status = match knows("stop_status") {
        true => read_statuses(&keys, "stop_status", d).unwrap_or_default(),
        false => Vec::new(),
    };
    let kind = page_kind(kind, &keys, &path, d)?;
    Some(Pagination {
        kind,
        max_pages,
        place,
        first_without,
        rows,
        stops_on_short_page,
        has_more,
        stop_status,
    })
}

fn page_kind(
    kind: &str,
    keys: &Keys<'_>,
    path: &dyn Fn(&str, &mut Diagnostics) -> Option<Option<DataPath>>,
    d: &mut Diagnostics,
) -> Option<PageKind> {
    let name = |key: &str, default: &str, d: &mut Diagnostics| {
        keys.name(key, d)
            .map_or_else(|| default.to_string(), |(name, _)| name)
    };
    Some(match kind {
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
            mark: mark(keys, path, d)?,
        },
        "json_link" => PageKind::JsonLink {
            path: path("next_path", d)??,
        },
        "header_link" => PageKind::HeaderLink,
        "auto" => PageKind::Auto,
        _ => PageKind::SinglePage,
    })
}

fn mark(
    keys: &Keys<'_>,
    path: &dyn Fn(&str, &mut Diagnostics) -> Option<Option<DataPath>>,
    d: &mut Diagnostics,
) -> Option<Mark> {
    let given = [
        path("cursor_path", d)?.map(Mark::Path),
        keys.name("cursor_header", d).map(|(name, _)| Mark::Header(name)),
        keys.prop("cursor", d).map(Mark::Code),
    ];
    let mut given = given.into_iter().flatten();
    let (first, second) = (given.next(), given.next());
    let help = "give one of `cursor_path`, `cursor_header` and `cursor_expression`";
    if second.is_some() {
        d.error(
            Code::BothForms,
            keys.place().clone(),
            "the mark of the next page is given twice",
        )
        .help(help);
    }
    if first.is_none() {
        d.error(
            Code::MissingKey,
            keys.place().clone(),
            "`pagination` of type cursor needs `cursor_path`",
        )
        .help(help);
    }
    first
}
