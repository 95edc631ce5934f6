//! Runs the steps of a region: each as soon as what it waits for is there. What they do takes effect in the order of the
//! flow, each step's in its turn.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use sequor_planner::plan::{Region, Step, Until};
use tokio::task::{AbortHandle, Id, JoinSet};

use super::run::Run;
use super::scope::Scope;
use super::step::{End, step_to_end};
use super::turn::{Signal, Turns};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, StepStatus, Totals};

/// A region ready to run, as often as need be.
pub struct Prepared {
    steps: Vec<Arc<Step>>,
    graph: DiGraph<(), Until>,
    nodes: Vec<NodeIndex>,
}

impl Prepared {
    /// Prepares a region.
    pub fn new(region: &Region) -> Arc<Prepared> {
        let steps: Vec<Arc<Step>> = region.steps.iter().cloned().map(Arc::new).collect();
        let mut graph = DiGraph::new();
        let nodes: Vec<NodeIndex> = steps.iter().map(|_| graph.add_node(())).collect();
        for edge in &region.edges {
            graph.add_edge(nodes[edge.from], nodes[edge.to], edge.until);
        }
        Arc::new(Prepared { steps, graph, nodes })
    }
}

/// Runs a region to its end. After a failure nothing behind the failed step takes effect; those before it finish; its
/// error is returned.
pub fn region(
    run: Arc<Run>,
    region: Arc<Prepared>,
    scope: Scope,
    depth: usize,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move {
        let (turns, mut signals) = Turns::new(scope.turn().cloned());
        let mut pass = Pass::new(&region);
        loop {
            while let Some(at) = pass.next_ready() {
                let step = region.steps[at].clone();
                let scope = scope.with_turn(turns.turn(at, step.unordered));
                let run = run.clone();
                let handle = pass
                    .running
                    .spawn(async move { (at, step_to_end(run, step, scope, depth).await) });
                pass.ids.insert(handle.id(), at);
                pass.handles.insert(at, handle);
            }
            if pass.running.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => match signal {
                    Signal::Worked(at) => pass.release(at, Until::Work),
                    Signal::WillFail(at) => pass.stop_behind(at),
                },
                Some(joined) = pass.running.join_next_with_id() => match joined {
                    Ok((_, (at, end))) => pass.ended(at, end, &turns),
                    Err(gone) => pass.gone(&gone, &turns),
                },
            }
        }
        let Some((culprit, error)) = pass.failed.take() else {
            return Ok(());
        };
        pass.tell_skipped(&run, culprit, &error, depth).await;
        Err(error)
    })
}

/// One pass through a region.
struct Pass<'r> {
    region: &'r Prepared,
    /// How many edges each step waits for.
    waits_for: Vec<usize>,
    /// Whether those who wait for the step's work have been let go.
    worked: Vec<bool>,
    started: Vec<bool>,
    /// Whether the step's end was told.
    told: Vec<bool>,
    /// Steps behind this one do not start.
    last: usize,
    running: JoinSet<(usize, End)>,
    handles: HashMap<usize, AbortHandle>,
    ids: HashMap<Id, usize>,
    failed: Option<(usize, Error)>,
}

impl<'r> Pass<'r> {
    fn new(region: &'r Prepared) -> Pass<'r> {
        let count = region.steps.len();
        let waits = |node: &NodeIndex| {
            let edges = region.graph.edges_directed(*node, Direction::Incoming);
            edges.count()
        };
        Pass {
            region,
            waits_for: region.nodes.iter().map(waits).collect(),
            worked: vec![false; count],
            started: vec![false; count],
            told: vec![false; count],
            last: count,
            running: JoinSet::new(),
            handles: HashMap::new(),
            ids: HashMap::new(),
            failed: None,
        }
    }

    /// A step to start: in the order of the flow, so that runs look alike.
    fn next_ready(&mut self) -> Option<usize> {
        let steps = 0..self.region.steps.len().min(self.last);
        let at = steps
            .into_iter()
            .find(|at| !self.started[*at] && self.waits_for[*at] == 0)?;
        self.started[at] = true;
        Some(at)
    }

    /// Lets those go who wait for a step's work, or for its end.
    fn release(&mut self, at: usize, until: Until) {
        let work = !std::mem::replace(&mut self.worked[at], true);
        let edges = self.region.graph.edges(self.region.nodes[at]);
        for edge in edges {
            let let_go = match edge.weight() {
                Until::Work => work,
                Until::Over => until == Until::Over,
            };
            if let_go {
                self.waits_for[edge.target().index()] -= 1;
            }
        }
    }

    /// Nothing behind a step starts any more, and what runs there is stopped: dropped, it takes itself back. A barrier
    /// is let finish, since what it did stays done.
    fn stop_behind(&mut self, at: usize) {
        self.last = self.last.min(at);
        for (behind, handle) in &self.handles {
            if *behind > at && self.region.steps[*behind].barrier.is_none() {
                handle.abort();
            }
        }
    }

    fn ended(&mut self, at: usize, end: End, turns: &Turns) {
        self.handles.remove(&at);
        self.told[at] = true;
        match end {
            End::Over => {
                turns.over(at);
                self.release(at, Until::Over);
            }
            End::TakenBack => {}
            End::Failed(error) => {
                turns.failed(at);
                // An interrupt ends every step by itself.
                match error.kind() {
                    ErrorKind::Cancelled => self.last = 0,
                    _ => self.stop_behind(at),
                }
                self.failed.get_or_insert((at, error));
            }
        }
    }

    /// A step's task ended without a word: it was stopped, or it panicked.
    fn gone(&mut self, gone: &tokio::task::JoinError, turns: &Turns) {
        let at = self.ids.get(&gone.id()).copied().unwrap_or_default();
        self.handles.remove(&at);
        if !gone.is_cancelled() {
            let error = Error::new(
                ErrorKind::Internal,
                format!("the task of a step ended unexpectedly: {gone}"),
            );
            turns.failed(at);
            self.stop_behind(at);
            self.failed.get_or_insert((at, error));
        }
    }

    /// Tells of the steps that did not run, or were taken back.
    async fn tell_skipped(&self, run: &Run, culprit: usize, error: &Error, depth: usize) {
        let steps = &self.region.steps;
        for (at, step) in steps.iter().enumerate().filter(|(at, _)| !self.told[*at]) {
            let failed = &steps[culprit].id;
            let because = match self.started[at] {
                _ if error.kind() == ErrorKind::Cancelled => match run.cancel.is_cancelled() {
                    true => "the run was interrupted".to_string(),
                    false => "a step around it took too long".to_string(),
                },
                true => format!("{failed} failed before it: what it did is taken back"),
                false if self.waits(culprit, at) => format!("it depends on {failed}, which failed"),
                false => format!("{failed} failed before it"),
            };
            let skipped = EventKind::StepFinished {
                op: step.op.to_string(),
                depth,
                status: StepStatus::Skipped,
                totals: Totals::default(),
                seconds: 0.0,
                error: None,
                because: Some(because),
            };
            run.events.emit(Some(&step.id), skipped).await;
        }
    }

    /// Whether a step waits for another, be it through others.
    fn waits(&self, from: usize, to: usize) -> bool {
        let (from, to) = (self.region.nodes[from], self.region.nodes[to]);
        petgraph::algo::has_path_connecting(&self.region.graph, from, to, None)
    }
}
