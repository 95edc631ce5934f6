//! Whether a paging gets anywhere: an API that gives the same page for ever must not be asked for ever.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use super::page::Page;
use crate::error::{Error, ErrorKind, Result};

/// So many pages without rows, one after the other, are asked for at most.
pub(super) const MOST_EMPTY: u64 = 1000;

/// What was asked for before, and the page before.
#[derive(Default)]
pub(super) struct Progress {
    /// Marks and links, as two hashes each: a paging may have many.
    seen: HashSet<(u64, u64)>,
    keys: (RandomState, RandomState),
    before: Option<Content>,
}

/// What makes a page the same as another.
#[derive(PartialEq)]
enum Content {
    /// Its rows, where they are known.
    Rows(Vec<Bytes>),
    Body(Bytes),
}

impl Progress {
    /// Notes a mark or a link. Whether it is new.
    pub fn note(&mut self, text: &str) -> bool {
        self.seen
            .insert((self.keys.0.hash_one(text), self.keys.1.hash_one(text)))
    }

    /// # Errors
    /// A page with the rows of the page before it. `number`: which page it is; `help`: what may be the reason.
    pub fn check(&mut self, page: &Page, number: u64, help: &str) -> Result<()> {
        let (now, what) = match page.rows.is_some() && !page.lists.is_empty() {
            true => (Content::Rows(page.lists.clone()), "has the same rows as"),
            false => (Content::Body(page.response.body.clone()), "is the same as"),
        };
        let same = !page.is_empty() && self.before.as_ref() == Some(&now);
        self.before = Some(now);
        match same {
            true => {
                let message = format!("page {number} {what} the page before it");
                Err(Error::new(ErrorKind::Limit, message).help(help))
            }
            false => Ok(()),
        }
    }
}
