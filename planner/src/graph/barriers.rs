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

/// The parts of a flow between its barriers.
pub enum Sections {
    /// The barriers, in order: every step before one is waited for by it, and every step behind waits for it.
    Of(Vec<usize>),
    /// Some steps gave up their place, so that there are no parts.
    One,
}

/// Returns the sections of a list of steps.
pub fn sections(steps: &[Step]) -> Sections {
    if steps.iter().any(|step| step.unordered) {
        return Sections::One;
    }
    let barriers = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.barrier.is_some());
    Sections::Of(barriers.map(|(at, _)| at).collect())
}

/// Tells whether a barrier stands between two steps, so that waiting for it is waiting for the first.
pub fn is_between(sections: &Sections, from: usize, to: usize) -> bool {
    match sections {
        Sections::Of(barriers) => {
            let next = barriers.partition_point(|barrier| *barrier <= from);
            barriers.get(next).is_some_and(|barrier| *barrier < to)
        }
        Sections::One => false,
    }
}
