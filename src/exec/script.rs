//! What a test lays down for a dry run: the time, the environment and answers to requests; and the requests that it made.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::HeaderMap;
use sequor_planner::ops::Mock;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Request;

/// What a test lays down.
#[derive(Default)]
pub struct Script {
    /// The time; none: the clock's.
    pub now: Option<DateTime<Utc>>,
    /// All variables of the process's environment.
    pub environment: HashMap<String, String>,
    /// By step.
    answers: HashMap<String, Answers>,
    asked: Mutex<Vec<Asked>>,
    /// What is wrong with the answers: the flow may take it as the API's.
    mistakes: Mutex<Vec<Error>>,
}

/// Answers to the requests of a step.
pub struct Answers {
    mocks: Vec<Mock>,
    /// Whether each answers one request; else the first answers all.
    in_turn: bool,
    /// How many were given.
    given: AtomicUsize,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Asked {
    pub step: String,
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answers {
    /// Returns answers that are given in turn, or the first of them again and again.
    pub fn new(mocks: Vec<Mock>, in_turn: bool) -> Answers {
        Answers {
            mocks,
            in_turn,
            given: AtomicUsize::new(0),
        }
    }
}

impl Script {
    /// Lays down the time, where it is not that of the clock, and the environment.
    pub fn new(now: Option<DateTime<Utc>>, environment: HashMap<String, String>) -> Script {
        Script {
            now,
            environment,
            ..Script::default()
        }
    }

    /// Lays down the answers to the requests of a step.
    pub fn answer(mut self, step: &str, answers: Answers) -> Script {
        self.answers.insert(step.to_string(), answers);
        self
    }

    /// Tells whether there are answers to the requests of a step.
    pub fn answers(&self, step: &str) -> bool {
        self.answers.contains_key(step)
    }

    /// Returns the answer to the next request of a step.
    ///
    /// # Errors
    /// All of its answers were given.
    pub fn next(&self, step: &str) -> Result<&Mock> {
        let Some(answers) = self.answers.get(step) else {
            return Err(used_up(step, 0));
        };
        let at = match answers.in_turn {
            true => answers.given.fetch_add(1, Ordering::Relaxed),
            false => 0,
        };
        answers
            .mocks
            .get(at)
            .ok_or_else(|| used_up(step, answers.mocks.len()))
    }

    /// Returns the steps that asked for fewer answers than there are, with how many are left.
    pub fn left(&self) -> Vec<(String, usize)> {
        let left = self
            .answers
            .iter()
            .filter(|(_, answers)| answers.in_turn)
            .map(|(step, answers)| {
                let given = answers.given.load(Ordering::Relaxed);
                (step.clone(), answers.mocks.len().saturating_sub(given))
            });
        let mut left: Vec<_> = left.filter(|(_, left)| *left > 0).collect();
        left.sort();
        left
    }

    /// Notes a request.
    pub fn note(&self, step: &str, request: &Request) {
        let asked = Asked {
            step: step.to_string(),
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone().unwrap_or_default(),
        };
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked);
    }

    /// Notes what is wrong with an answer, once.
    pub fn mistake(&self, error: &Error) {
        let mut mistakes = self.mistakes.lock().unwrap_or_else(PoisonError::into_inner);
        if !mistakes.iter().any(|known| known.message() == error.message()) {
            mistakes.push(error.clone());
        }
    }

    /// Returns what is wrong with the answers.
    pub fn mistakes(&self) -> Vec<Error> {
        self.mistakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the requests that were made, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns a variable of the process's environment. A test sees its own, whatever machine it runs on.
pub fn process_variable(script: Option<&Script>, name: &str) -> Option<String> {
    match script {
        Some(script) => script.environment.get(name).cloned(),
        None => std::env::var(name).ok(),
    }
}

fn used_up(step: &str, answers: usize) -> Error {
    let message = format!("`mocks` has {answers} answers for `{step}`, and it asks once more");
    Error::new(ErrorKind::Replay, message)
        .help("add one to its list; or write one answer without a list, for all of its requests")
}
