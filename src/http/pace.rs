//! When the requests of a source may go: so many per time, and not while the API asks to wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The pace of one source, shared by all its requests. Each takes a slot of its own in advance, so that one that starts
/// late takes nothing from the others: the rate is reached and never passed.
pub struct Pace {
    slots: Mutex<Slots>,
    /// Time between two slots; none: no limit.
    interval: Option<Duration>,
    /// Slots that may be used at once after a pause.
    burst: u32,
}

struct Slots {
    /// The first slot that nobody has.
    next: Instant,
    /// Until when the API asks all to wait.
    held: Option<Instant>,
}

impl Pace {
    /// A pace of `requests` in `per`; `burst` at once after a pause. None: as fast as they come.
    pub fn new(limit: Option<(f64, Duration)>, burst: u64) -> Pace {
        Pace {
            slots: Mutex::new(Slots {
                next: Instant::now(),
                held: None,
            }),
            interval: limit.map(|(requests, per)| per.div_f64(requests.max(f64::MIN_POSITIVE))),
            burst: u32::try_from(burst).unwrap_or(u32::MAX).max(1),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may go.
    pub async fn ready(&self) {
        loop {
            let slot = {
                let mut slots = self.slots();
                let now = Instant::now();
                let mut slot = now;
                if let Some(interval) = self.interval {
                    let saved = interval * (self.burst - 1);
                    slot = slots.next.max(now.checked_sub(saved).unwrap_or(now));
                    if let Some(held) = slots.held {
                        slot = slot.max(held);
                    }
                    slots.next = slot + interval;
                } else if let Some(held) = slots.held {
                    slot = slot.max(held);
                }
                if slot <= now && slots.held.is_none_or(|held| held <= now) {
                    return;
                }
                slot
            };
            sleep_until(slot).await;
            // The API may have asked to wait meanwhile: then another slot is needed.
            if self.slots().held.is_none_or(|held| held <= slot) {
                return;
            }
        }
    }

    /// Lets no request go for a time.
    pub fn hold(&self, wait: Duration) {
        let mut slots = self.slots();
        let until = Instant::now() + wait;
        slots.held = Some(slots.held.map_or(until, |held| held.max(until)));
    }
}
