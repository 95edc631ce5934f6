//! How many requests are under way at the same time: a fixed number, or as many as the API allows.
//!
//! The second is found by additive increase and multiplicative decrease, as TCP does it: one more for each round of
//! answers that come as fast as the fastest, half as many after a 503 or a time-out, a tenth less when answers take
//! twice as long as the fastest, since then they wait in a queue.
//!
//! Where an API says that it is asked too fast, by a 429 and its kin, a fixed number counts no more, either: half as many go
//! at the same time, and those that wait are let go one by one, as TCP starts anew after a loss.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, ErrorKind, Result};

/// Where the search for the best limit starts.
const FIRST: f64 = 4.0;

/// Answers slower than the fastest by this are no sign yet: small times vary by themselves.
const SLACK: Duration = Duration::from_millis(5);

/// How many requests are under way at the same time.
pub struct ConcurrencyLimiter {
    permits: Semaphore,
    search: Mutex<Search>,
}

/// What is known about the best limit.
struct Search {
    limit: f64,
    most: f64,
    /// Permits that there are, those in use included.
    given: usize,
    /// Permits to be taken back when they are returned.
    owed: usize,
    /// Whether the number is found out; else it is fixed, until the API asks for less.
    auto: bool,
    /// Up to which limit it grows by one with each answer.
    quick: f64,
    fastest: Duration,
    /// Answers to requests sent before the last decrease say nothing about the limit since.
    decreased: Instant,
}

/// How an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Good,
    /// The API says that it is asked too fast.
    Paced,
    /// A 503 or a time-out.
    Overload,
    /// Anything else tells nothing about the limit.
    Other,
}

/// A request's place among those under way.
pub struct Place<'a> {
    limit: &'a ConcurrencyLimiter,
    permit: Option<SemaphorePermit<'a>>,
}

impl ConcurrencyLimiter {
    /// Always so many.
    pub fn fixed(limit: usize) -> ConcurrencyLimiter {
        ConcurrencyLimiter::new(limit, limit, false)
    }

    /// As many as are good, up to `most`.
    pub fn auto(most: usize) -> ConcurrencyLimiter {
        ConcurrencyLimiter::new(FIRST as usize, most, true)
    }

    fn new(first: usize, most: usize, auto: bool) -> ConcurrencyLimiter {
        ConcurrencyLimiter {
            permits: Semaphore::new(first),
            search: Mutex::new(Search {
                limit: first as f64,
                most: most as f64,
                given: first,
                owed: 0,
                auto,
                quick: f64::MAX,
                fastest: Duration::MAX,
                decreased: Instant::now(),
            }),
        }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Result<Place<'_>> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|_| Error::new(ErrorKind::Internal, "the source is closed"))?;
        Ok(Place {
            limit: self,
            permit: Some(permit),
        })
    }

    fn search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from an answer to a request that was sent at `sent`.
    pub fn learn(&self, sent: Instant, answer: Answer) {
        let mut search = self.search();
        if search.is_settled(answer) {
            return;
        }
        let crowded = self.permits.available_permits() == 0;
        search.learn(sent, Instant::now(), answer, crowded);
        let wanted = search.limit as usize;
        let there = search.given - search.owed;
        if wanted > there {
            // Those owed need not be taken back, then.
            let kept = search.owed.min(wanted - there);
            search.owed -= kept;
            let more = wanted - there - kept;
            search.given += more;
            self.permits.add_permits(more);
        } else if wanted < there {
            let taken = self.permits.forget_permits(there - wanted);
            search.given -= taken;
            search.owed += there - wanted - taken;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut search = self.limit.search();
        if search.owed > 0
            && let Some(permit) = self.permit.take()
        {
            search.owed -= 1;
            search.given -= 1;
            permit.forget();
        }
    }
}

impl Search {
    /// Tells whether an answer changes nothing: the number is fixed, and all of it is in use.
    fn is_settled(&self, answer: Answer) -> bool {
        !self.auto && answer != Answer::Paced && self.limit >= self.most
    }

    /// `crowded`: whether all places were taken, so that more might help.
    fn learn(&mut self, sent: Instant, now: Instant, answer: Answer, crowded: bool) {
        let since = sent >= self.decreased;
        let took = now.duration_since(sent);
        match answer {
            Answer::Other => {}
            Answer::Paced if since => {
                self.decrease(0.5, now);
                // Those that wait come back one by one, up to half of what went before.
                (self.quick, self.limit) = (self.limit, 1.0);
            }
            Answer::Overload if since && self.auto => self.decrease(0.5, now),
            Answer::Overload | Answer::Paced => {}
            Answer::Good => {
                self.fastest = self.fastest.min(took);
                let slow = self.auto && took > self.fastest * 2 + SLACK;
                match (slow, since, crowded) {
                    (true, true, _) => self.decrease(0.9, now),
                    (false, _, true) => {
                        let more = if self.limit < self.quick {
                            1.0
                        } else {
                            1.0 / self.limit
                        };
                        self.limit = (self.limit + more).min(self.most);
                    }
                    _ => {}
                }
            }
        }
    }

    fn decrease(&mut self, by: f64, now: Instant) {
        self.limit = (self.limit * by).max(1.0);
        self.quick = 0.0;
        self.decreased = now;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn permits(limit: &ConcurrencyLimiter) -> usize {
        let search = limit.search();
        search.given - search.owed
    }

    #[tokio::test]
    async fn grows_while_answers_are_fast_and_shrinks_when_refused() {
        let limit = ConcurrencyLimiter::auto(64);
        for _ in 0..100 {
            let mut places = Vec::new();
            while limit.permits.available_permits() > 0 {
                places.push(limit.enter().await.unwrap());
            }
            let sent = Instant::now();
            places.iter().for_each(|_| limit.learn(sent, Answer::Good));
        }
        assert_eq!(permits(&limit), 64);
        let mut places = Vec::new();
        while limit.permits.available_permits() > 0 {
            places.push(limit.enter().await.unwrap());
        }
        let sent = Instant::now();
        // One round of refusals counts once.
        places.iter().for_each(|_| limit.learn(sent, Answer::Overload));
        assert_eq!(permits(&limit), 32);
        drop(places);
        assert_eq!(limit.permits.available_permits(), 32);
        // Answers that tell nothing change nothing.
        limit.learn(Instant::now(), Answer::Other);
        assert_eq!(permits(&limit), 32);
    }
}
