//! Totals: how many pages or rows there are, as far as the API is to be believed.

use sequor_planner::ops::{DataPath, PageKind};

use super::slips::not_there;
use super::{Page, Pages};
use crate::error::Result;
use crate::value::Value;

/// What a total says of the end, where it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// All has come.
    Done,
    /// There is more.
    More,
    /// Nothing that could be believed.
    Nothing,
}

impl Pages {
    fn total_path(&self) -> Option<(&'static str, &DataPath)> {
        match &self.spec.kind {
            PageKind::PageNumber {
                total_pages: Some(path),
                ..
            } => Some(("total_pages_path", path)),
            PageKind::Offset {
                total: Some(path), ..
            } => Some(("total_path", path)),
            _ => None,
        }
    }

    /// Returns the total of a response; none where there is none that could be believed, which is told once.
    ///
    /// # Errors
    /// A path that leads to nothing in a first page with rows.
    pub(super) fn total(&mut self, page: &Page) -> Result<Option<u64>> {
        if self.total_is_wrong {
            return Ok(None);
        }
        let Some((key, path)) = self.total_path() else {
            return Ok(None);
        };
        let found = page.at(path);
        if let Some(total) = found.as_ref().and_then(whole) {
            return Ok(Some(total));
        }
        match found {
            None if self.done == 1 && !page.is_empty() => Err(not_there(key, path, page)),
            // It is left out of later pages, or of one without rows.
            None => Ok(None),
            Some(found) => {
                let found = match found {
                    Value::Null => "null".to_string(),
                    found => found.to_json_text(),
                };
                let message = format!(
                    "`{key}` is not believed: `{path}` of the response is {found}, and no whole number; the paging ends with an empty page instead"
                );
                self.doubt(message);
                Ok(None)
            }
        }
    }

    fn doubt(&mut self, message: String) {
        self.total_is_wrong = true;
        self.warnings.push(message);
    }

    /// Returns what the total says of the end, once the page is counted.
    pub(super) fn total_says(&mut self, page: &Page) -> Result<Said> {
        let Some(total) = self.total(page)? else {
            return Ok(Said::Nothing);
        };
        let empty = page.is_empty();
        let by_python = page.rows.is_none() && page.taken.is_some();
        // What has come, and how far a total counts from.
        let (have, what) = match self.spec.kind {
            PageKind::PageNumber { .. } => (self.done, "pages"),
            // Without tables, positions are all that is known.
            PageKind::Offset { start, size, .. } if page.rows_or_taken().is_none() => (
                start.saturating_add(self.done.saturating_mul(size)).min(total),
                "rows",
            ),
            // One may be the first position, or the second.
            PageKind::Offset { start, .. } if start > 1 => (start.saturating_add(self.rows), "rows"),
            _ => (self.rows, "rows"),
        };
        if total < have && by_python && what == "rows" {
            return Ok(Said::Nothing);
        }
        if total < have && !empty {
            self.doubt(format!(
                "the API says that there are {total} {what}, and {have} came: that is not believed, and the paging ends with an empty page instead"
            ));
            return Ok(Said::Nothing);
        }
        Ok(match total.cmp(&have) {
            std::cmp::Ordering::Greater => Said::More,
            // Pages that are smaller than asked for are not as many as a total may count.
            _ if what == "pages" && self.capped => Said::Nothing,
            _ => Said::Done,
        })
    }

    /// Returns what is to be said about rows that did not come, when there are no more pages.
    pub fn missing(&self, page: &Page) -> Option<String> {
        let PageKind::Offset {
            total: Some(path),
            start,
            ..
        } = &self.spec.kind
        else {
            return None;
        };
        let total = page.at(path).as_ref().and_then(whole)?.saturating_sub(*start);
        let cut = self.spec.max_pages.is_some_and(|max| self.done >= max);
        let known = page.rows.is_some() || page.taken.is_none();
        (known && self.rows > 0 && self.rows < total && !cut)
            .then(|| format!("{} rows came, and the API says that there are {total}", self.rows))
    }
}

/// A whole number from 0, also as text.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(n) => u64::try_from(*n).ok(),
        Value::Float(n) if n.fract() == 0.0 && (0.0..9e15).contains(n) => Some(*n as u64),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}
