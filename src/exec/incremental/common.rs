//! What the states of a step's tables have in common: a step with several tables asks for what one of them lacks.

use super::state::TableState;
use crate::incremental::{Kind, Known, Parents, Ranges};

/// Returns what is covered in each of the tables.
pub fn known_by_all<'s>(states: impl IntoIterator<Item = &'s TableState>) -> Known {
    let mut states = states.into_iter();
    let Some(first) = states.next() else {
        return Known::new();
    };
    let mut known = first.known.clone();
    for state in states {
        known = known
            .into_iter()
            .filter_map(|(part, ranges)| Some((part.clone(), ranges.and(state.known.get(&part)?))))
            .collect();
    }
    known
}

/// Returns the cursors of the for_each's rows that all of the tables know.
pub fn parents_of_all(states: &[TableState]) -> Parents {
    let Some((first, others)) = states.split_first() else {
        return Parents::new();
    };
    let mut all = first.parents.clone();
    for state in others {
        all.retain(|part, _| state.parents.contains_key(part));
        for (part, known) in &mut all {
            known.retain(|cursor| {
                state
                    .parents
                    .get(part)
                    .is_some_and(|other| other.contains(cursor))
            });
        }
    }
    all
}

/// Returns what the positions of the first state that has some are.
pub fn kind_of_states(states: &[TableState]) -> Option<Kind> {
    states.iter().find_map(|state| kind_of(&state.known))
}

/// Returns what the positions of what is covered are.
pub fn kind_of(known: &Known) -> Option<Kind> {
    let (_, to) = known.values().find_map(|ranges: &Ranges| ranges.iter().next())?;
    Some(Kind::like(&to.to_string()))
}
