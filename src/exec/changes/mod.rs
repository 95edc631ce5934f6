//! Steps that send only what has changed: their rows are compared with what they sent, and what was sent is noted.

mod begin;
mod items;
mod pass;

pub use begin::{Changed, SENDING, baseline_mark, request_digest, scope_of};
pub use items::Item;
pub use pass::Pass;
