//! Keeps only some steps of a plan, in the order they had.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;

use super::PassContext;
use crate::diagnostic::did_you_mean;
use crate::graph;
use crate::plan::{Action, Edge, Plan, Region, Until};

/// Why steps can't be chosen.
#[derive(Debug)]
pub enum SelectError {
    /// An id that no step has.
    UnknownStep { id: String, help: Option<String> },
    /// What is selected is all excluded.
    NothingLeft,
}

/// Only the steps with the ids in `select` (all, when it is empty), without those in `exclude`. An id names a step, or the
/// block or called flow whose steps begin with it.
///
/// # Errors
/// An id that no step of the flow's own level has; no step is left.
pub fn select(plan: &mut Plan, context: &PassContext<'_>) -> Result<(), SelectError> {
    let (only, without) = (&context.options.select, &context.options.exclude);
    if only.is_empty() && without.is_empty() {
        return Ok(());
    }
    let below = |step: &str, id: &str| step.strip_prefix(id).is_some_and(|rest| rest.starts_with('/'));
    let inside = |step: &str, id: &str| step.strip_suffix(id).is_some_and(|path| path.ends_with('/'));
    let names = |step: &str, id: &str| step == id || below(step, id) || inside(step, id);
    for id in only.iter().chain(without) {
        let copy = format!("{id}#2");
        if plan.root.steps.iter().any(|s| s.id == copy) {
            return Err(SelectError::UnknownStep {
                help: Some(format!(
                    "several steps have it: give each its own id, or say `{copy}` for the second"
                )),
                id: id.clone(),
            });
        }
        if !plan.root.steps.iter().any(|s| names(&s.id, id)) {
            let known = plan.root.steps.iter().map(|s| s.id.as_str());
            return Err(SelectError::UnknownStep {
                help: did_you_mean(id, "steps", known),
                id: id.clone(),
            });
        }
    }
    let chosen = |step: &str, ids: &[String]| ids.iter().any(|id| names(step, id));
    let kept: Vec<bool> = plan
        .root
        .steps
        .iter()
        .map(|s| (only.is_empty() || chosen(&s.id, only)) && !chosen(&s.id, without))
        .collect();
    let all = kept.len();
    plan.root = keep(std::mem::take(&mut plan.root), &kept);
    match all > 0 && plan.root.steps.is_empty() {
        true => Err(SelectError::NothingLeft),
        false => Ok(()),
    }
}

impl Region {
    /// Only the http_request steps.
    pub fn only_requests(self) -> Region {
        let requests = self.steps.iter().map(|s| matches!(s.action, Action::Http(_)));
        let kept: Vec<bool> = requests.collect();
        keep(self, &kept)
    }
}

/// The region with only some steps; what was ordered through a step left out stays ordered.
fn keep(region: Region, kept: &[bool]) -> Region {
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    let nodes: Vec<NodeIndex> = region.steps.iter().map(|_| graph.add_node(())).collect();
    for edge in &region.edges {
        graph.add_edge(nodes[edge.from], nodes[edge.to], ());
    }
    let places: HashMap<usize, usize> = (0..kept.len())
        .filter(|i| kept[*i])
        .enumerate()
        .map(|(new, old)| (old, new))
        .collect();
    let mut edges = Vec::new();
    for (&from, &new_from) in &places {
        let mut dfs = Dfs::new(&graph, nodes[from]);
        while let Some(node) = dfs.next(&graph) {
            let Some(&new_to) = places.get(&node.index()).filter(|_| node.index() != from) else {
                continue;
            };
            let direct = region
                .edges
                .iter()
                .find(|e| e.from == from && e.to == node.index());
            edges.push(Edge {
                from: new_from,
                to: new_to,
                until: direct.map_or(Until::Over, |e| e.until),
                reasons: direct.map_or_else(|| vec!["comes later in the flow".into()], |e| e.reasons.clone()),
            });
        }
    }
    edges.sort_by_key(|e| (e.to, e.from));
    let steps: Vec<_> = region
        .steps
        .into_iter()
        .zip(kept)
        .filter(|(_, kept)| **kept)
        .map(|(s, _)| s)
        .collect();
    let stages = graph::stages(steps.len(), &edges);
    Region {
        steps,
        edges,
        stages,
        ..Region::default()
    }
}
