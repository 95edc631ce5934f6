//! An API whose rows change: it gives those between two times, ends included, page by page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::server::{Asked, Server, json as answer};

/// Rows of a page.
const SIZE: usize = 3;

/// A row: when it was changed last, and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub shop: u32,
    pub at: Option<String>,
    pub total: i64,
}

/// What the API has, and where it fails.
#[derive(Default)]
pub struct World {
    pub rows: BTreeMap<u32, Row>,
    /// Requests of a shop that are refused.
    pub refuses: Option<u32>,
    /// The number of the page, counted over all requests, that is not given.
    pub fails_at: Option<usize>,
    /// Rows of a page; 0: a few.
    pub size: usize,
    /// Whether the newest rows come first.
    pub descending: bool,
    /// Whether rows at the very end of a range are left out.
    pub end_is_exclusive: bool,
    pages: usize,
}

/// The API.
pub struct Api {
    pub server: Server,
    pub world: Arc<Mutex<World>>,
}

impl Api {
    pub fn start() -> Api {
        let world: Arc<Mutex<World>> = Arc::default();
        let seen = world.clone();
        let server = Server::start(move |asked: &Asked| {
            let mut world = seen.lock().unwrap();
            world.pages += 1;
            let shop: u32 = asked
                .path
                .trim_matches('/')
                .split('/')
                .nth(1)
                .unwrap_or("0")
                .parse()
                .unwrap();
            if world.fails_at == Some(world.pages) || world.refuses == Some(shop) {
                return answer("{}").status(400);
            }
            let since = asked.parameter("since").unwrap_or_default();
            let until = asked.parameter("until").unwrap_or("9".into());
            let page: usize = asked.parameter("page").unwrap_or("1".into()).parse().unwrap();
            let mut rows: Vec<(&u32, &Row)> = world
                .rows
                .iter()
                .filter(|(_, row)| row.shop == shop)
                .filter(|(_, row)| {
                    let until = |at: &str| match world.end_is_exclusive {
                        true => at < until.as_str(),
                        false => at <= until.as_str(),
                    };
                    row.at.as_ref().is_none_or(|at| *at >= since && until(at))
                })
                .collect();
            rows.sort_by_key(|(id, row)| (row.at.clone(), **id));
            if world.descending {
                rows.reverse();
            }
            let size = if world.size == 0 { SIZE } else { world.size };
            let rows: Vec<_> = rows.into_iter().skip((page - 1) * size).take(size).collect();
            let rows: Vec<_> = rows
                .iter()
                .map(
                    |(id, row)| json!({"id": id, "shop": row.shop, "updated_at": row.at, "total": row.total}),
                )
                .collect();
            answer(json!({"data": rows}).to_string())
        });
        Api { server, world }
    }

    /// Changes what it has.
    pub fn change<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap();
        world.pages = 0;
        f(&mut world)
    }

    pub fn put(&self, id: u32, at: &str, total: i64) {
        let at = Some(at.to_string());
        self.change(|world| world.rows.insert(id, Row { shop: 0, at, total }));
    }

    /// The ranges that were asked for, each once, and forgets them.
    pub fn asked(&self) -> Vec<String> {
        let mut ranges: Vec<String> = Vec::new();
        for asked in self.server.asked() {
            let end = |name: &str| asked.parameter(name).unwrap_or_default();
            let range = format!("{}..{}", end("since"), end("until"));
            if ranges.last() != Some(&range) {
                ranges.push(range);
            }
        }
        self.server.forget();
        ranges
    }
}
