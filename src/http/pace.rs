//! When the requests of a source may go: so many per time, and not while the API asks to wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A pace of requests. Each takes a slot of its own in advance, so that one that starts late takes nothing from the
/// others: the rate is reached and never passed.
pub struct Pace {
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
}

/// Until when an API asks all its clients to wait.
#[derive(Default)]
struct Hold(Mutex<Option<Instant>>);

impl Hold {
    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// A pace of `requests` in `per`; `burst` at once after a pause. None: as fast as they come.
    pub fn new(limit: Option<(f64, Duration)>, burst: u64) -> Pace {
        let rate = limit.map(|(requests, per)| Rate {
            next: Mutex::new(Instant::now()),
            interval: per.div_f64(requests.max(f64::MIN_POSITIVE)),
            burst: u32::try_from(burst).unwrap_or(u32::MAX).max(1),
        });
        Pace {
            rate,
            hold: Arc::default(),
        }
    }

    /// Another pace at the same API: it waits, too, when the API asks to.
    pub fn beside(&self, other: Pace) -> Pace {
        Pace {
            rate: other.rate,
            hold: self.hold.clone(),
        }
    }

    /// Waits until a request may go.
    pub async fn ready(&self) {
        loop {
            let now = Instant::now();
            let held = (*self.hold.until()).filter(|held| *held > now);
            let slot = match &self.rate {
                Some(rate) => rate.slot(held.unwrap_or(now), now),
                None => held.unwrap_or(now),
            };
            if slot <= now {
                return;
            }
            sleep_until(slot).await;
            // The API may have asked to wait meanwhile: then another slot is needed.
            if (*self.hold.until()).is_none_or(|held| held <= slot) {
                return;
            }
        }
    }

    /// Lets no request go for a time.
    pub fn hold(&self, wait: Duration) {
        let mut held = self.hold.until();
        let until = Instant::now() + wait;
        *held = Some(held.map_or(until, |held| held.max(until)));
    }
}

impl Rate {
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
