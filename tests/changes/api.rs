//! An API of contacts, as a CRM has one: what is sent to it can be compared with the table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::server::{Asked, Server, json as answer};

/// A contact: the id that the API gave it, and its name.
pub type Contact = (u64, String);

/// What the API has, and where it fails.
#[derive(Default)]
pub struct World {
    pub contacts: BTreeMap<String, Contact>,
    /// Keys that are refused.
    pub refuses: BTreeSet<String>,
    /// Keys at which the server fails, when all is done.
    pub fails: BTreeSet<String>,
    /// Keys that were removed which it never had.
    pub strangers: Vec<String>,
    /// The first answer for an idempotency key.
    answers: BTreeMap<String, (u16, Json)>,
    ids: u64,
    pub delay: Duration,
    /// Whether nobody is let in.
    pub locked: bool,
    /// How many contacts were made.
    pub made: usize,
}

impl World {
    fn put(&mut self, key: &str, name: &str) -> Json {
        if !self.contacts.contains_key(key) {
            self.ids += 1;
            self.made += 1;
        }
        let id = self.contacts.get(key).map_or(self.ids, |(id, _)| *id);
        self.contacts.insert(key.to_string(), (id, name.to_string()));
        json!({"id": id})
    }

    fn answer(&mut self, asked: &Asked) -> (u16, Json) {
        let (_, last) = asked.path.rsplit_once('/').unwrap();
        let last = last.split('?').next().unwrap();
        let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_string);
        match asked.method.as_str() {
            "DELETE" if last.starts_with("key-") => {
                let key = &last["key-".len()..];
                if self.refuses.contains(key) {
                    return (422, json!({"error": "no"}));
                }
                self.contacts.remove(key);
                (if self.fails.contains(key) { 500 } else { 200 }, json!({}))
            }
            "DELETE" => {
                let found = self.contacts.iter().find(|(_, (id, _))| id.to_string() == last);
                match found.map(|(key, _)| key.clone()) {
                    Some(key) => drop(self.contacts.remove(&key)),
                    None => self.strangers.push(last.to_string()),
                }
                (200, json!({}))
            }
            "PUT" if self.refuses.contains(last) => (422, json!({"error": "no"})),
            "PUT" => {
                let done = self.put(last, &text(&body["name"]));
                (if self.fails.contains(last) { 500 } else { 200 }, done)
            }
            // A batch of contacts: all of them, or none.
            "PATCH" => {
                let rows = body["rows"].as_array().cloned().unwrap_or_default();
                let refused = rows.iter().any(|row| self.refuses.contains(&text(&row["id"])));
                if refused {
                    return (422, json!({"error": "no"}));
                }
                for row in rows {
                    match asked.path.contains("removed") {
                        true => drop(self.contacts.remove(&text(&row["id"]))),
                        false => drop(self.put(&text(&row["id"]), &text(&row["name"]))),
                    }
                }
                (200, json!({}))
            }
            // A new contact each time, whatever there is.
            _ => {
                let key = text(&body["id"]);
                if self.refuses.contains(&key) {
                    return (422, json!({"error": "no"}));
                }
                self.ids += 1;
                self.made += 1;
                let fails = self.fails.contains(&key);
                self.contacts.insert(key, (self.ids, text(&body["name"])));
                (if fails { 500 } else { 201 }, json!({"id": self.ids}))
            }
        }
    }
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
            let delay = world.delay;
            let key = asked.header("idempotency-key").to_string();
            if world.locked {
                return answer("{}").status(401);
            }
            let (status, body) = match world.answers.get(&key) {
                Some(known) if !key.is_empty() => known.clone(),
                _ => {
                    let answer = world.answer(asked);
                    // What it did it remembers, whatever it said.
                    let done = match answer.0 {
                        500 => Some((201, answer.1.clone())),
                        status if status < 300 => Some(answer.clone()),
                        _ => None,
                    };
                    if let Some(done) = done.filter(|_| !key.is_empty()) {
                        world.answers.insert(key, done);
                    }
                    answer
                }
            };
            answer(body.to_string()).status(status).after(delay)
        });
        Api { server, world }
    }

    /// Changes what it has.
    pub fn change<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut self.world.lock().unwrap())
    }

    /// What it has, as lines.
    pub fn contacts(&self) -> Vec<String> {
        self.change(|world| {
            let contacts = world.contacts.iter();
            contacts.map(|(key, (_, name))| format!("{key}|{name}")).collect()
        })
    }

    /// What was asked, sorted, and forgets it.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.server.asked();
        let mut lines: Vec<String> = asked
            .iter()
            .map(|asked| format!("{} {}", asked.method, asked.path))
            .collect();
        lines.sort();
        self.server.forget();
        lines
    }
}
