//! The end of pages that are counted: by number, or by the position of their first row.

use sequor_planner::ops::PageKind;

use super::total::Said;
use super::{Page, Pages};
use crate::error::{Error, ErrorKind, Result};

impl Pages {
    /// Moves to the next number or position; false when there is none. `more`: what `has_more_path` says.
    pub(super) fn counts_on(&mut self, page: &Page, more: Option<bool>) -> Result<bool> {
        let rows = page.rows_or_taken();
        let (size, is_offset) = match &self.spec.kind {
            PageKind::Offset { size, .. } => (Some(*size), true),
            PageKind::PageNumber { size, .. } => (*size, false),
            _ => (None, false),
        };
        if is_offset && page.several {
            let message = "the tables read several lists of the page, so how many rows it has is not known";
            return Err(Error::new(ErrorKind::Data, message)
                .help("say by `rows_path` of `pagination` which list the positions count"));
        }
        let said = self.total_says(page)?;
        self.see_cap(page, size, said);
        let step = match page.rows {
            _ if !is_offset => 1,
            // Positions go on by the rows that came. A page without any says nothing of where the next one begins.
            Some(rows) if rows > 0 => rows,
            _ => size.unwrap_or(1),
        };
        self.at = self.at.saturating_add(step);
        if more == Some(true) {
            return Ok(true);
        }
        let short = self.spec.stops_on_short_page && page.rows.is_some() && page.rows < size;
        if let (true, Some(rows), Some(size), 1) =
            (short && said == Said::Nothing, page.rows, size, self.done)
            && rows >= 10
            && rows.is_multiple_of(5)
        {
            self.warnings.push(format!(
                "the paging ended with its first page, which has {rows} rows of the {size} asked for (`stop_on: short_page`): if the API gives no more than {rows} a page, write `size: {rows}`"
            ));
        }
        match (said, rows) {
            (Said::Done, _) => Ok(false),
            // Where rows have positions, none there are none behind.
            (Said::More, Some(0)) if is_offset => Ok(false),
            // One page may be without rows for reasons of its own; two of them contradict the total.
            (Said::More, _) => Ok(self.empty < 2),
            (Said::Nothing, Some(0)) => {
                if page.rows.is_none() && !page.body_is_empty() {
                    self.warnings.push(format!(
                        "the paging ended with page {}, of which Python gave no rows, though its body is not empty: if there are more pages, say by `rows_path` of `pagination` where the page's list is",
                        self.done
                    ));
                }
                Ok(false)
            }
            (Said::Nothing, Some(_)) => Ok(!short),
            (Said::Nothing, None) if page.is_empty() => Ok(false),
            (Said::Nothing, None) => {
                let message = "nothing tells which page is the last";
                Err(Error::new(ErrorKind::Data, message)
                    .help("say by `rows_path` of `pagination` where the page's list is, or give the path of the total"))
            }
        }
    }

    /// Notes and tells, once, when the API gives fewer rows a page than it is asked for.
    fn see_cap(&mut self, page: &Page, size: Option<u64>, said: Said) {
        let (Some(size), Some(rows), Some(first)) = (size, page.rows, self.first_rows) else {
            return;
        };
        // A short page is a cap where another one follows.
        let follows = match self.done {
            1 => said == Said::More,
            2 => rows > 0,
            _ => false,
        };
        if self.capped || !follows || first == 0 || first >= size || self.spec.stops_on_short_page {
            return;
        }
        self.capped = true;
        self.warnings.push(format!(
            "the API gives {first} rows a page, though {size} are asked for (`size`): that takes more requests"
        ));
    }
}
