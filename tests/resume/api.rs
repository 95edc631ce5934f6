//! An API with pages to fetch and rows to push to, which counts what it did.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::support::program::Project;
use crate::support::server::{Asked, Reply, Server, json};

/// What the API has done.
#[derive(Default)]
pub struct Done {
    /// How often each page was asked for.
    pub pages: HashMap<u64, u64>,
    /// How often each row was taken, by its id: those with a key that was known are not counted.
    pub keyed: HashMap<String, u64>,
    /// The keys that are known.
    pub keys: HashMap<String, u64>,
    /// How often each row was set.
    pub patched: HashMap<String, u64>,
    /// How often each row without a key was taken.
    pub plain: HashMap<String, u64>,
    /// A number for each request: those that fail follow from it.
    asked: u64,
}

/// The API.
pub struct Api {
    pub server: Server,
    pub done: Arc<Mutex<Done>>,
}

impl Api {
    /// Starts one with so many pages of so many rows. `failing`: of how many calls one fails; 0: none.
    pub fn start(pages: u64, size: u64, failing: u64) -> Api {
        let done: Arc<Mutex<Done>> = Arc::default();
        let kept = done.clone();
        let server = Server::start(move |asked| {
            let mut done = kept.lock().expect("no panic");
            done.asked += 1;
            if failing > 0 && done.asked.is_multiple_of(failing) {
                return json("{}").status(503);
            }
            answer(asked, &mut done, pages, size)
        });
        Api { server, done }
    }

    /// Returns a project with it as the source `api`. `state`: more of the project's file; `source`: more of the source's.
    pub fn project(&self, state: &str, source: &str) -> Project {
        Project::new()
            .file("project.yaml", &format!("name: test\n{state}"))
            .file(
                "sources/api.yaml",
                &format!("type: http\nbase_url: {}\n{source}", self.server.url),
            )
    }

    /// Forgets what was done.
    pub fn reset(&self) {
        // Of long forms it would fill the memory.
        self.server.forget();
        *self.done.lock().expect("no panic") = Done::default();
    }
}

fn answer(asked: &Asked, done: &mut Done, pages: u64, size: u64) -> Reply {
    let id = || asked.path.rsplit('/').next().unwrap_or_default().to_string();
    if asked.path == "/items" {
        let page: u64 = asked
            .parameter("page")
            .expect("a page")
            .parse()
            .expect("a number");
        *done.pages.entry(page).or_default() += 1;
        let rows = match page <= pages {
            true => (page - 1) * size..page * size,
            false => 0..0,
        };
        let rows: Vec<String> = rows
            .map(|n| format!(r#"{{"id": {n}, "kind": "k{}", "amount": {}}}"#, n % 7, n * 3))
            .collect();
        return json(format!(r#"{{"items": [{}]}}"#, rows.join(",")));
    }
    if asked.path.starts_with("/keyed/") {
        let key = asked.header("idempotency-key").to_string();
        assert!(!key.is_empty(), "a key is sent");
        let times = done.keys.entry(key).or_default();
        *times += 1;
        if *times == 1 {
            *done.keyed.entry(id()).or_default() += 1;
        }
    } else if asked.path.starts_with("/patched/") {
        *done.patched.entry(id()).or_default() += 1;
    } else if asked.path.starts_with("/plain/") {
        *done.plain.entry(id()).or_default() += 1;
    }
    json(r#"{"rows": [{"ok": true}]}"#)
}
