//! From what steps read and write to the order between them.

mod barriers;
mod history;
mod reasons;

use std::collections::{BTreeMap, BTreeSet};

use barriers::Sections;
use petgraph::algo::toposort;
use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::plan::{AskedEdge, Edge, Step, Until};
use crate::servers::Servers;

/// The pairs of steps, earlier first, of which one waits for the other.
type Pairs = BTreeMap<(usize, usize), Until>;

/// Adds a pair; waiting for the end is waiting for the work, too.
fn add(pairs: &mut Pairs, from: usize, to: usize, until: Until) {
    if from != to {
        let known = pairs.entry((from, to)).or_insert(until);
        if until == Until::Over {
            *known = Until::Over;
        }
    }
}

/// Joins two steps, earlier first, by an edge where the later one can't do its work before: it reads what the earlier
/// one writes, one of them can't be held back, or `extra` says so. That what steps do takes effect in the order of the
/// flow needs no edges. Edges that follow from others are left out.
pub fn edges(steps: &[Step], extra: &[AskedEdge], servers: &Servers) -> Vec<Edge> {
    let mut pairs = Pairs::new();
    for edge in extra {
        add(&mut pairs, edge.from, edge.to, edge.until);
    }
    history::pairs(steps, servers, &mut pairs);
    barriers::pairs(steps, &mut pairs);
    let sections = barriers::sections(steps);
    // What waits for a step before a barrier waits for the barrier.
    pairs.retain(|(from, to), _| !barriers::is_between(&sections, *from, *to));
    let all = reduced_by_section(&sections, steps.len(), pairs.keys().copied());
    // A path of edges that wait for work alone does not stand for one that waits for the end.
    let over: Vec<(usize, usize)> = pairs
        .iter()
        .filter(|(_, until)| **until == Until::Over)
        .map(|(pair, _)| *pair)
        .collect();
    let over = match over.len() == pairs.len() {
        true => all.clone(),
        false => reduced_by_section(&sections, steps.len(), over.into_iter()),
    };
    let kept = pairs
        .into_iter()
        .filter(|(pair, until)| all.contains(pair) || (*until == Until::Over && over.contains(pair)));
    let mut edges: Vec<Edge> = kept
        .map(|((from, to), until)| Edge {
            from,
            to,
            until,
            reasons: reasons::reasons(steps, extra, servers, from, to),
        })
        .collect();
    edges.sort_by_key(|e| (e.to, e.from));
    edges
}

/// The pairs that do not follow from others. No path leaves a section between two barriers and comes back, so that each is
/// looked at by itself: what is reachable across barriers is most of a flow.
fn reduced_by_section(
    sections: &Sections,
    steps: usize,
    pairs: impl Iterator<Item = (usize, usize)>,
) -> BTreeSet<(usize, usize)> {
    let Sections::Of(barriers) = sections else {
        return reduced(steps, pairs);
    };
    let mut by_section: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for (from, to) in pairs {
        let section = barriers.partition_point(|barrier| *barrier <= from);
        by_section.entry(section).or_default().push((from, to));
    }
    let mut kept = BTreeSet::new();
    for of_section in by_section.into_values() {
        let first = of_section.iter().map(|(from, _)| *from).min().unwrap_or(0);
        let last = of_section.iter().map(|(_, to)| *to).max().unwrap_or(0);
        let local = of_section.iter().map(|(from, to)| (from - first, to - first));
        let reduced = reduced(last - first + 1, local);
        kept.extend(reduced.into_iter().map(|(from, to)| (from + first, to + first)));
    }
    kept
}

/// The pairs that do not follow from others.
fn reduced(steps: usize, pairs: impl Iterator<Item = (usize, usize)>) -> BTreeSet<(usize, usize)> {
    let mut graph: DiGraph<(), (), u32> = DiGraph::new();
    let nodes: Vec<NodeIndex> = (0..steps).map(|_| graph.add_node(())).collect();
    for (from, to) in pairs {
        graph.add_edge(nodes[from], nodes[to], ());
    }
    // Edges only lead forward, so there is no cycle and the sort can't fail.
    let Ok(order) = toposort(&graph, None) else {
        return BTreeSet::new();
    };
    let (list, positions) = dag_to_toposorted_adjacency_list::<_, u32>(&graph, &order);
    let (reduced, _) = dag_transitive_reduction_closure(&list);
    graph
        .edge_indices()
        .filter_map(|edge| {
            let (from, to) = graph.edge_endpoints(edge)?;
            let kept = reduced.contains_edge(positions[from.index()], positions[to.index()]);
            kept.then_some((from.index(), to.index()))
        })
        .collect()
}

/// Returns the steps by the length of the longest path that leads to them.
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
