//! When the requests of a source may go: so many per time, and not while the API asks to wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A rate of requests. Each takes a slot of its own in advance, so that one that starts late takes nothing from the
/// others: the rate is reached and never passed.
pub struct RateLimiter {
    rate: Option<Rate>,
    hold: Arc<Hold>,
}

struct Rate {
    /// The first slot that nobody has.
    next: Mutex<Instant>,
    /// Time between two slots.
    interval: Duration,
    /// Slots that may be used at once after a pause.
    burst: u32,
    /// When the last requests went, as many as may go in `per`.
    gone: Mutex<VecDeque<Instant>>,
    most: usize,
    per: Duration,
}

/// So many requests are looked back on at most.
const MOST_KEPT: f64 = 65_536.0;

/// Longer waits mean never, and must not run over the end of time.
const LONGEST_INTERVAL: Duration = Duration::from_secs(366 * 24 * 3600);

/// Until when an API asks all its clients to wait.
#[derive(Default)]
struct Hold(Mutex<Option<Instant>>);

impl Hold {
    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RateLimiter {
    /// Creates a rate of `requests` in `per`; `burst` at once after a pause. None: as fast as they come.
    pub fn new(limit: Option<(f64, Duration)>, burst: u64) -> RateLimiter {
        let rate = limit.map(|(requests, per)| {
            let interval = Duration::try_from_secs_f64(per.as_secs_f64() / requests);
            let interval = interval.map_or(LONGEST_INTERVAL, |interval| interval.min(LONGEST_INTERVAL));
            let most = requests.clamp(1.0, MOST_KEPT) as u32;
            Rate {
                next: Mutex::new(Instant::now()),
                interval,
                burst: u32::try_from(burst).unwrap_or(u32::MAX).max(1),
                gone: Mutex::default(),
                most: most as usize,
                per: interval * most,
            }
        });
        RateLimiter {
            rate,
            hold: Arc::default(),
        }
    }

    /// Another rate at the same API: it waits, too, when the API asks to.
    pub fn together_with(&self, other: RateLimiter) -> RateLimiter {
        RateLimiter {
            rate: other.rate,
            hold: self.hold.clone(),
        }
    }

    /// Waits until a request may go.
    pub async fn ready(&self) {
        self.turn().await;
    }

    /// Waits for a turn: when it came.
    async fn turn(&self) -> Instant {
        loop {
            let now = Instant::now();
            let held = (*self.hold.until()).filter(|held| *held > now);
            let slot = match &self.rate {
                Some(rate) => rate.slot(held.unwrap_or(now), now),
                None => held.unwrap_or(now),
            };
            if slot > now {
                sleep_until(slot).await;
                // The API may have asked to wait meanwhile: then another slot is needed.
                if (*self.hold.until()).is_some_and(|held| held > slot) {
                    continue;
                }
            }
            return match &self.rate {
                Some(rate) => rate.go().await,
                None => now,
            };
        }
    }

    /// Lets no request go for a time. Whether that is more than a second longer than before.
    pub fn hold(&self, wait: Duration) -> bool {
        let mut held = self.hold.until();
        let now = Instant::now();
        let until = now + wait;
        let before = held.map_or(now, |held| held.max(now));
        *held = Some(before.max(until));
        until > before + Duration::from_secs(1)
    }
}

impl Rate {
    /// Waits until one more may go. Those that start late would otherwise come too close to those that are on time.
    async fn go(&self) -> Instant {
        loop {
            let free = {
                let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                let oldest = if gone.len() < self.most {
                    None
                } else {
                    gone.front().copied()
                };
                match oldest.map(|oldest| oldest + self.per).filter(|free| *free > now) {
                    Some(free) => free,
                    None => {
                        if oldest.is_some() {
                            gone.pop_front();
                        }
                        gone.push_back(now);
                        return now;
                    }
                }
            };
            sleep_until(free).await;
        }
    }

    /// Takes a slot, at `earliest` the first.
    fn slot(&self, earliest: Instant, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = self.interval * (self.burst - 1);
        let oldest = now.checked_sub(saved).unwrap_or(now);
        let mut slot = (*next).max(oldest);
        if earliest > now {
            slot = slot.max(earliest);
        }
        *next = slot + self.interval;
        slot
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// However late tasks start, no more than the limit go in any stretch of its time.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn never_more_in_any_stretch() {
        let (most, per) = (20, Duration::from_millis(200));
        let limiter = Arc::new(RateLimiter::new(Some((most as f64, per)), 5));
        let start = Instant::now();
        let tasks: Vec<_> = (0..120)
            .map(|number| {
                let limiter = limiter.clone();
                tokio::spawn(async move {
                    let went = limiter.turn().await;
                    // Some hold up the thread that others wait for.
                    if number % 7 == 0 {
                        std::thread::sleep(Duration::from_millis(15));
                    }
                    went
                })
            })
            .collect();
        let mut went = Vec::new();
        for task in tasks {
            went.push(task.await.unwrap());
        }
        went.sort();
        for (first, last) in went.iter().zip(&went[most..]) {
            assert!(*last - *first >= per, "{:?}", *last - *first);
        }
        assert!(start.elapsed() >= per * 5);
    }

    #[tokio::test]
    async fn limits_that_are_no_whole_numbers_and_absurd_ones() {
        let limiter = RateLimiter::new(Some((2.5, Duration::from_secs(1))), 1);
        let rate = limiter.rate.as_ref().unwrap();
        // Looking back must not slow down what the slots allow: 2 in 0.8 seconds, not 2 in a second.
        assert_eq!((rate.most, rate.per), (2, Duration::from_millis(800)));
        for (requests, per) in [(1e-300, Duration::MAX), (1e300, Duration::from_nanos(1))] {
            RateLimiter::new(Some((requests, per)), u64::MAX).turn().await;
        }
    }
}
