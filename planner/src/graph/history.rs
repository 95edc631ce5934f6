//! Which steps must wait for which, from what each reads and writes.

use std::collections::HashMap;

use super::{Pairs, add};
use crate::effects::Resource;
use crate::plan::{Action, Step, Until};
use crate::servers::Servers;

/// Adds the pairs (earlier, later) of steps that touch the same thing, unless others imply them.
pub fn pairs(steps: &[Step], servers: &Servers, pairs: &mut Pairs) {
    let one_name = |resources: &[Resource]| -> Vec<Resource> {
        let named = resources.iter().map(|r| servers.canonical(r).into_owned());
        named.collect()
    };
    // Sources that are one server go by one name.
    let renamed: Vec<(Vec<Resource>, Vec<Resource>)> = match servers.is_plain() {
        true => Vec::new(),
        false => steps
            .iter()
            .map(|step| (one_name(&step.reads), one_name(&step.writes)))
            .collect(),
    };
    let mut history = History::default();
    for (at, step) in steps.iter().enumerate() {
        let (reads, writes) = match renamed.get(at) {
            Some((reads, writes)) => (reads.as_slice(), writes.as_slice()),
            None => (step.reads.as_slice(), step.writes.as_slice()),
        };
        history.see(at, step, (reads, writes), pairs);
    }
}

/// Tells whether what a step writes waits for its turn, so that those before it never see it.
pub fn holds_back(step: &Step) -> bool {
    step.barrier.is_none()
}

/// Tells whether a thing is changed outside of the run: variables and text are published in the order of the flow.
pub fn orders(resource: &Resource) -> bool {
    !matches!(
        resource,
        Resource::Variable(_) | Resource::Local { .. } | Resource::AnyVariable | Resource::Console
    )
}

/// Who last touched each thing, while the steps go by: what a step must wait for, without comparing it with every step
/// before it.
#[derive(Default)]
struct History<'s> {
    /// Resources that can be the same thing are in one group.
    groups: HashMap<Group<'s>, Vec<Touched<'s>>>,
}

/// Only resources of one group can overlap, or those of a group and the kind's wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Group<'s> {
    Source(&'s str),
    Variable(&'s str),
    Api(&'s str),
    Console,
    AnySource,
    AnyVariable,
    AnyApi,
}

/// A step that wrote.
#[derive(Clone, Copy)]
struct Writer {
    at: usize,
    /// Whether its writing takes effect in its turn.
    held: bool,
    /// Whether steps inside it write: what they set is seen when it is over.
    composite: bool,
}

/// One resource: who wrote it last, who read it since.
struct Touched<'s> {
    resource: &'s Resource,
    writers: Vec<Writer>,
    readers: Vec<usize>,
}

fn group(resource: &Resource) -> Group<'_> {
    match resource {
        Resource::Table { source, .. } | Resource::Source(source) => Group::Source(source),
        Resource::Variable(name) | Resource::Local { name, .. } => Group::Variable(name),
        Resource::Api(name) => Group::Api(name),
        Resource::Console => Group::Console,
        Resource::AnySource => Group::AnySource,
        Resource::AnyVariable => Group::AnyVariable,
        Resource::AnyApi => Group::AnyApi,
    }
}

impl<'s> History<'s> {
    fn see(
        &mut self,
        at: usize,
        step: &Step,
        (reads, writes): (&'s [Resource], &'s [Resource]),
        pairs: &mut Pairs,
    ) {
        for resource in reads.iter().filter(|r| **r != Resource::Console) {
            let until = |writer: &Writer| match orders(resource) || writer.composite {
                true => Until::Over,
                false => Until::Work,
            };
            self.each(resource, |touched| {
                let writers = touched.writers.iter();
                writers.for_each(|w| add(pairs, w.at, at, until(w)));
            });
        }
        for resource in writes.iter().filter(|r| orders(r)) {
            self.each(resource, |touched| {
                let earlier = touched.writers.iter();
                earlier
                    .filter(|w| !(w.held && holds_back(step)))
                    .for_each(|w| add(pairs, w.at, at, Until::Over));
                if !holds_back(step) {
                    touched
                        .readers
                        .iter()
                        .for_each(|r| add(pairs, *r, at, Until::Over));
                }
            });
        }
        for resource in reads {
            self.entry(resource).readers.push(at);
        }
        for resource in writes.iter().filter(|r| **r != Resource::Console) {
            let writer = Writer {
                at,
                held: holds_back(step),
                composite: !step.action.regions().is_empty(),
            };
            if orders(resource) {
                // Who comes later and waits for this step's end waits for all that it covers: what steps do takes
                // effect in the order of the flow.
                self.each(resource, |touched| {
                    if covers(resource, touched.resource) {
                        touched.writers = vec![writer];
                        touched.readers.clear();
                    }
                });
                let touched = self.entry(resource);
                touched.writers = vec![writer];
                touched.readers.clear();
            } else {
                // A variable that the step surely sets hides what was set before.
                let sure = match &step.action {
                    Action::Plain(plain) => match plain.operation().sets() {
                        [] => false,
                        set => set.iter().all(|v| !v.many),
                    },
                    Action::EnterFlow { .. } => true,
                    _ => false,
                };
                let touched = self.entry(resource);
                if sure {
                    touched.writers.clear();
                }
                touched.writers.push(writer);
            }
        }
    }

    fn entry(&mut self, resource: &'s Resource) -> &mut Touched<'s> {
        let group = self.groups.entry(group(resource)).or_default();
        let at = match group.iter().position(|t| t.resource == resource) {
            Some(at) => at,
            None => {
                group.push(Touched {
                    resource,
                    writers: Vec::new(),
                    readers: Vec::new(),
                });
                group.len() - 1
            }
        };
        &mut group[at]
    }

    /// Calls `f` with everything so far that can be the same as `resource`.
    fn each(&mut self, resource: &'s Resource, mut f: impl FnMut(&mut Touched<'s>)) {
        let own = group(resource);
        let wild = match &own {
            Group::Source(_) => Some(Group::AnySource),
            Group::Variable(_) => Some(Group::AnyVariable),
            Group::Api(_) => Some(Group::AnyApi),
            _ => None,
        };
        let all = matches!(own, Group::AnySource | Group::AnyVariable | Group::AnyApi);
        let mut visit = |touched: &mut Vec<Touched<'s>>| {
            touched
                .iter_mut()
                .filter(|t| t.resource.overlaps(resource))
                .for_each(&mut f);
        };
        match all {
            true => self.groups.values_mut().for_each(visit),
            false => {
                for key in std::iter::once(own).chain(wild) {
                    if let Some(touched) = self.groups.get_mut(&key) {
                        visit(touched);
                    }
                }
            }
        }
    }
}

/// Whether everything that `small` can be is part of `large`.
fn covers(large: &Resource, small: &Resource) -> bool {
    match (large, small) {
        (Resource::Source(a), Resource::Table { source: b, .. }) => a == b,
        (Resource::AnySource, Resource::Table { .. } | Resource::Source(_))
        | (Resource::AnyVariable, Resource::Variable(_) | Resource::Local { .. })
        | (Resource::AnyApi, Resource::Api(_)) => true,
        (a, b) => a == b,
    }
}
