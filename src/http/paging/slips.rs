//! Paths that lead to nothing: slips are told, and what APIs leave out of a last page is not.

use sequor_planner::ops::DataPath;

use super::page::Absent;
use super::{Page, Pages};
use crate::error::{Error, ErrorKind};

impl Pages {
    /// Warns of a first page whose mark or link is not there, where that looks like a slip: APIs leave it out of a last
    /// page.
    pub(super) fn look_for(&mut self, key: &str, path: &DataPath, page: &Page) {
        if self.done > 1 || page.is_empty() || page.at(path).is_some() {
            return;
        }
        let absent = Absent::find(&page.text(), path);
        let slip = absent.filter(|absent| absent.near().is_some() || absent.is_object());
        if let Some(absent) = slip {
            self.warnings.push(format!(
                "the paging ends with its first page: `{key}` is `{path}`, and {}",
                absent.says()
            ));
        } else if let Some((name, size)) = full(page) {
            self.warnings.push(format!(
                "the paging ends with its first page, which is full (`{name}` is {size}): `{key}` is `{path}`, and nothing is there"
            ));
        }
    }

    /// Warns of a first page without the header of its mark, where that looks like a slip.
    pub(super) fn look_for_header(&mut self, name: &str, page: &Page) {
        if self.done > 1 || page.is_empty() || page.response.headers.contains_key(name) {
            return;
        }
        let there = page.response.headers.keys().map(|name| name.as_str());
        if let Some(near) = sequor_planner::nearest(name, there) {
            self.warnings.push(format!(
                "the paging ends with its first page: there is no header `{name}` (`cursor_header`), but `{near}`"
            ));
        } else if let Some((parameter, size)) = full(page) {
            self.warnings.push(format!(
                "the paging ends with its first page, which is full (`{parameter}` is {size}): it has no header `{name}` (`cursor_header`)"
            ));
        }
    }
}

/// Names of parameters that ask for so many rows.
const SIZES: [&str; 12] = [
    "limit",
    "size",
    "count",
    "first",
    "per_page",
    "perpage",
    "page_size",
    "pagesize",
    "page[size]",
    "max_results",
    "maxresults",
    "$top",
];

/// The parameter of a page's url that asked for as many rows as came, and how many.
fn full(page: &Page) -> Option<(String, u64)> {
    let rows = page.rows?;
    let mut pairs = page.response.url.query_pairs();
    let (name, _) = pairs.find(|(name, value)| {
        SIZES.contains(&name.to_ascii_lowercase().as_str()) && value.parse() == Ok(rows)
    })?;
    Some((name.into_owned(), rows))
}

/// Returns what is said of a path that leads to nothing where something must be.
pub(super) fn not_there(key: &str, path: &DataPath, page: &Page) -> Error {
    let text = page.text();
    let absent = Absent::find(&text, path);
    let says = match &absent {
        Some(absent) => absent.says(),
        None => "the response has nothing there".into(),
    };
    let error = Error::new(ErrorKind::Data, format!("`{key}` is `{path}`, and {says}"));
    match absent.as_ref().and_then(Absent::near) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!(
            "the response starts with: {}",
            crate::exchange::excerpt(&text)
        )),
    }
}
