//! Steps whose work can't be held back keep their place: they wait for all before them, and all behind wait for them.

use super::{Pairs, add};
use crate::plan::{Step, Until};

/// Adds the pairs of barriers with the steps around them. A step with an order of its own (`after`) waits for none.
pub fn pairs(steps: &[Step], pairs: &mut Pairs) {
    // Barriers that the steps to come wait for; one that waits for all before it stands for them.
    let mut barriers: Vec<usize> = Vec::new();
    // The first step that the last such barrier does not stand for.
    let mut first = 0;
    for (at, step) in steps.iter().enumerate() {
        if !step.unordered {
            let since = if step.barrier.is_some() { first..at } else { 0..0 };
            for from in barriers.iter().copied().chain(since) {
                add(pairs, from, at, Until::Over);
            }
        }
        if step.barrier.is_some() {
            if !step.unordered {
                barriers.clear();
                first = at;
            }
            barriers.push(at);
        }
    }
}
