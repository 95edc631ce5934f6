//! Requests to APIs: what a step's requests share, one conversation per row with its pages, and what is done with responses.

pub mod ask;
pub mod checkpoint;
mod conditional;
pub mod context;
pub mod conversation;
pub mod credentials;
mod earlier;
mod endings;
pub mod fan_out;
mod given;
pub mod items;
mod listed;
mod mocked;
pub mod named_hosts;
mod reject_rows;
pub mod rejects;
pub mod render;
pub mod response;
pub mod row_order;
mod rules;
pub mod shown;
mod split;
mod unsent;
