//! The values in a step of the plan that are computed when it runs.

use super::{Action, Step};
use crate::expr::{EachProp, Prop};

impl EachProp for Action {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        match self {
            Action::Http(http) => {
                http.request.each_prop(f);
                http.rejects.each_prop(f);
                http.synced.iter().for_each(|synced| synced.snapshot.each_prop(f));
            }
            Action::Plain(plain) => plain.each_prop(f),
            Action::If { branches, .. } => branches.iter().for_each(|b| f(&b.condition)),
            Action::ForEach { rows, .. } => rows.each_prop(f),
            Action::While { condition, .. } => f(condition),
            Action::Call { parameters, .. } | Action::EnterFlow { parameters, .. } => parameters.each_prop(f),
            Action::Try { .. } | Action::Group(_) => {}
        }
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        match self {
            Action::Http(http) => {
                http.request.each_prop_mut(f);
                http.rejects.each_prop_mut(f);
                http.synced
                    .iter_mut()
                    .for_each(|synced| synced.snapshot.each_prop_mut(f));
            }
            Action::Plain(plain) => plain.each_prop_mut(f),
            Action::If { branches, .. } => branches.iter_mut().for_each(|b| f(&mut b.condition)),
            Action::ForEach { rows, .. } => rows.each_prop_mut(f),
            Action::While { condition, .. } => f(condition),
            Action::Call { parameters, .. } | Action::EnterFlow { parameters, .. } => {
                parameters.each_prop_mut(f)
            }
            Action::Try { .. } | Action::Group(_) => {}
        }
    }
}

/// The values of a step, not those of the steps inside it.
impl EachProp for Step {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        self.unfolds.iter().for_each(|unfolds| unfolds.keys.each_prop(f));
        self.action.each_prop(f);
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        self.unfolds
            .iter_mut()
            .for_each(|unfolds| unfolds.keys.each_prop_mut(f));
        self.action.each_prop_mut(f);
    }
}
