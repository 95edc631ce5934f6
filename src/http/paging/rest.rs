//! The pages that are left, when the response said how many there are: they can be asked for at the same time.

use sequor_planner::ops::PageKind;

use super::link::numbered;
use super::{Page, Pages, Target};
use crate::error::Result;

/// Pages to be asked for at the same time, in their order.
pub type Rest = Box<dyn Iterator<Item = Target> + Send>;

impl Pages {
    /// Returns all pages from the one at hand on; none when their number is not known.
    ///
    /// # Errors
    /// A total whose path leads to nothing.
    pub fn rest(&mut self, page: &Page) -> Result<Option<Rest>> {
        let most = self
            .spec
            .max_pages
            .map_or(u64::MAX, |max| max.saturating_sub(self.done));
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if let PageKind::HeaderLink = self.spec.kind {
            let last = self.link.as_ref().and_then(|next| numbered(&page.response, next));
            return Ok(last.map(|(numbers, url)| {
                let at = self.at;
                let targets = numbers.take(most).map(move |number| Target {
                    at,
                    link: Some(url(number)),
                    ..Target::default()
                });
                Box::new(targets) as Rest
            }));
        }
        let Some(total) = self.total(page)? else {
            return Ok(None);
        };
        let (step, end) = match &self.spec.kind {
            PageKind::PageNumber { start, .. } => (1, start.saturating_add(total)),
            PageKind::Offset { size, start, .. } => {
                // Where the API gives smaller pages, their size is what it gave.
                let step = page.rows.filter(|rows| *rows > 0).unwrap_or(*size);
                // Positions may begin with one.
                (step, total.saturating_add(u64::from(*start == 1)))
            }
            _ => return Ok(None),
        };
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let mut model = self.target();
        let template = Pages::new(&self.spec);
        let positions = (self.at..end).step_by(step.max(1)).take(most);
        Ok(Some(Box::new(positions.map(move |at| {
            (model.at, model.parameters) = (at, template.parameters(at));
            model.clone()
        }))))
    }
}
