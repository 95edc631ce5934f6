//! From what steps read and write to the order between them.

use petgraph::algo::toposort;
use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::effects::Resource;
use crate::plan::{Edge, Step};

/// Joins two steps, earlier first, by an edge when one writes what the other reads or writes; adds `extra` edges
/// (from, to, reason). Edges that follow from others are left out. Steps with no path between them are unordered.
pub fn edges(steps: &[Step], extra: &[(usize, usize, String)]) -> Vec<Edge> {
    let mut graph: DiGraph<(), Vec<String>, u32> = DiGraph::new();
    let nodes: Vec<NodeIndex> = steps.iter().map(|_| graph.add_node(())).collect();
    for to in 0..steps.len() {
        for from in 0..to {
            let mut reasons: Vec<String> = extra
                .iter()
                .filter(|(f, t, _)| (*f, *t) == (from, to))
                .map(|(_, _, reason)| reason.clone())
                .collect();
            conflicts(&steps[from], &steps[to], &mut reasons);
            if !reasons.is_empty() {
                graph.add_edge(nodes[from], nodes[to], reasons);
            }
        }
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
            kept.then(|| Edge {
                from: from.index(),
                to: to.index(),
                reasons: graph[e].clone(),
            })
        })
        .collect();
    edges.sort_by_key(|e| (e.to, e.from));
    edges
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
