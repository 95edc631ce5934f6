//! From what steps read and write to the order between them.

use std::collections::{BTreeSet, HashMap};

use petgraph::algo::toposort;
use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::effects::Resource;
use crate::plan::{Edge, Step};

/// Joins two steps, earlier first, by an edge when one writes what the other reads or writes; adds `extra` edges
/// (from, to, reason). Edges that follow from others are left out. Steps with no path between them are unordered.
pub fn edges(steps: &[Step], extra: &[(usize, usize, String)]) -> Vec<Edge> {
    let mut graph: DiGraph<(), (), u32> = DiGraph::new();
    let nodes: Vec<NodeIndex> = steps.iter().map(|_| graph.add_node(())).collect();
    let mut pairs: BTreeSet<(usize, usize)> = extra.iter().map(|(from, to, _)| (*from, *to)).collect();
    History::default().pairs(steps, &mut pairs);
    for (from, to) in pairs {
        graph.add_edge(nodes[from], nodes[to], ());
    }
    // Edges only lead forward, so there is no cycle and the sort can't fail.
    let Ok(order) = toposort(&graph, None) else {
        return Vec::new();
    };
    let (list, positions) = dag_to_toposorted_adjacency_list::<_, u32>(&graph, &order);
    let (reduced, _) = dag_transitive_reduction_closure(&list);
    let mut edges: Vec<Edge> = graph
        .edge_indices()
        .filter_map(|e| {
            let (from, to) = graph.edge_endpoints(e)?;
            let kept = reduced.contains_edge(positions[from.index()], positions[to.index()]);
            let (from, to) = (from.index(), to.index());
            kept.then(|| Edge {
                from,
                to,
                reasons: reasons(steps, extra, from, to),
            })
        })
        .collect();
    edges.sort_by_key(|e| (e.to, e.from));
    edges
}

/// Why step `to` waits for step `from`.
fn reasons(steps: &[Step], extra: &[(usize, usize, String)], from: usize, to: usize) -> Vec<String> {
    let given = extra.iter().filter(|(f, t, _)| (*f, *t) == (from, to));
    let mut reasons: Vec<String> = given.map(|(_, _, reason)| reason.clone()).collect();
    conflicts(&steps[from], &steps[to], &mut reasons);
    reasons
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

/// One resource: who wrote it last, who read it since.
struct Touched<'s> {
    resource: &'s Resource,
    writer: Option<usize>,
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
    /// Adds the pairs (earlier, later) of steps that touch the same thing, unless others imply them.
    fn pairs(mut self, steps: &'s [Step], pairs: &mut BTreeSet<(usize, usize)>) {
        for (at, step) in steps.iter().enumerate() {
            for resource in &step.reads {
                self.each(resource, |touched| pairs.extend(touched.writer.map(|w| (w, at))));
            }
            for resource in &step.writes {
                self.each(resource, |touched| {
                    pairs.extend(touched.writer.map(|w| (w, at)));
                    pairs.extend(touched.readers.iter().map(|r| (*r, at)));
                });
            }
            for resource in &step.reads {
                self.entry(resource).readers.push(at);
            }
            for resource in &step.writes {
                // Who comes later and waits for this step waits for all it covers.
                self.each(resource, |touched| {
                    if covers(resource, touched.resource) {
                        touched.writer = Some(at);
                        touched.readers.clear();
                    }
                });
                let touched = self.entry(resource);
                touched.writer = Some(at);
                touched.readers.clear();
            }
        }
        pairs.retain(|(from, to)| from != to);
    }

    fn entry(&mut self, resource: &'s Resource) -> &mut Touched<'s> {
        let group = self.groups.entry(group(resource)).or_default();
        let at = match group.iter().position(|t| t.resource == resource) {
            Some(at) => at,
            None => {
                group.push(Touched {
                    resource,
                    writer: None,
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

/// The steps by the length of the longest path that leads to them.
pub fn stages(steps: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut level = vec![0; steps];
    for edge in edges {
        level[edge.to] = level[edge.to].max(level[edge.from] + 1);
    }
    let depth = level.iter().max().map_or(0, |max| max + 1);
    let mut stages = vec![Vec::new(); depth];
    for (step, level) in level.into_iter().enumerate() {
        stages[level].push(step);
    }
    stages
}

/// Why `later` must wait for `earlier`.
fn conflicts(earlier: &Step, later: &Step, reasons: &mut Vec<String>) {
    // One reason for each thing is enough.
    let mut told = Vec::new();
    let mut pairs = |a: &[Resource], b: &[Resource], say: &dyn Fn(&Resource) -> String| {
        for resource in b {
            if !told.contains(resource) && a.iter().any(|r| r.overlaps(resource)) {
                told.push(resource.clone());
                reasons.push(say(resource));
            }
        }
    };
    let id = &earlier.id;
    pairs(&earlier.writes, &later.reads, &|r| match r {
        Resource::Api(_) | Resource::AnyApi => format!("asks {r} after {id} changed it"),
        _ => format!("reads {r}, written by {id}"),
    });
    pairs(&earlier.writes, &later.writes, &|r| match r {
        Resource::Console => format!("prints after {id}"),
        Resource::Api(_) | Resource::AnyApi => format!("changes {r} after {id} did"),
        _ => format!("writes {r} after {id} did"),
    });
    pairs(&earlier.reads, &later.writes, &|r| match r {
        Resource::Api(_) | Resource::AnyApi => format!("changes {r} after {id} asked it"),
        _ => format!("writes {r} after {id} read it"),
    });
}
