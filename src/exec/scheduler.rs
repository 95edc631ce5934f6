//! Runs the steps of a region: each as soon as those it waits for are done.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;
use sequor_planner::ops::OnError;
use sequor_planner::plan::{Action, Region, Step};
use tokio::task::JoinSet;

use super::event::{Counters, Event, Outcome};
use super::run::Run;
use super::scope::Scope;
use super::{flow, http_step, migrate, sql};
use crate::error::{Error, ErrorKind, Result};

/// A region ready to run, as often as need be.
pub struct Prepared {
    steps: Vec<Arc<Step>>,
    graph: DiGraph<(), ()>,
    nodes: Vec<NodeIndex>,
    /// How many steps each one waits for.
    waits_for: Vec<usize>,
}

impl Prepared {
    /// Prepares a region.
    pub fn new(region: &Region) -> Arc<Prepared> {
        let steps: Vec<Arc<Step>> = region.steps.iter().cloned().map(Arc::new).collect();
        let mut graph: DiGraph<(), ()> = DiGraph::new();
        let nodes: Vec<NodeIndex> = steps.iter().map(|_| graph.add_node(())).collect();
        let mut waits_for = vec![0usize; steps.len()];
        for edge in &region.edges {
            graph.add_edge(nodes[edge.from], nodes[edge.to], ());
            waits_for[edge.to] += 1;
        }
        Arc::new(Prepared {
            steps,
            graph,
            nodes,
            waits_for,
        })
    }
}

/// Runs a region to its end. After a failure nothing new starts; what runs is let finish; the first error is returned.
pub fn region(
    run: Arc<Run>,
    region: Arc<Prepared>,
    scope: Scope,
    depth: usize,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move {
        let Prepared {
            steps,
            graph,
            nodes,
            waits_for,
        } = &*region;
        let mut waits_for = waits_for.clone();
        let mut ready: Vec<usize> = (0..steps.len()).filter(|at| waits_for[*at] == 0).collect();
        let mut unfinished: Vec<bool> = vec![true; steps.len()];
        let mut running: JoinSet<(usize, Result<()>)> = JoinSet::new();
        let mut failed: Option<(usize, Error)> = None;
        loop {
            if failed.is_none() {
                for at in ready.drain(..) {
                    let (run, step, scope) = (run.clone(), steps[at].clone(), scope.clone());
                    running.spawn(async move { (at, step_to_end(run, step, scope, depth).await) });
                    unfinished[at] = false;
                }
            }
            let Some(joined) = running.join_next().await else {
                break;
            };
            let (at, result) =
                joined.map_err(|e| Error::new(ErrorKind::Internal, format!("a step broke down: {e}")))?;
            match result {
                Ok(()) => {
                    for next in graph.neighbors(nodes[at]) {
                        waits_for[next.index()] -= 1;
                        if waits_for[next.index()] == 0 {
                            ready.push(next.index());
                        }
                    }
                    // In the order of the flow, so that runs look alike.
                    ready.sort_unstable();
                }
                Err(error) => {
                    failed.get_or_insert((at, error));
                }
            }
        }
        let Some((culprit, error)) = failed else {
            return Ok(());
        };
        let mut behind = vec![false; steps.len()];
        let mut dfs = Dfs::new(graph, nodes[culprit]);
        while let Some(node) = dfs.next(graph) {
            behind[node.index()] = true;
        }
        for (at, step) in steps.iter().enumerate().filter(|(at, _)| unfinished[*at]) {
            let because = match behind[at] {
                _ if error.kind() == ErrorKind::Cancelled => "the run was interrupted".to_string(),
                true => format!("it depends on {}, which failed", steps[culprit].id),
                false => format!("{} failed before it started", steps[culprit].id),
            };
            run.events
                .emit(Event::Finished {
                    step: step.id.as_str().into(),
                    op: step.op,
                    depth,
                    outcome: Outcome::Skipped { because },
                    totals: Default::default(),
                    took: Default::default(),
                })
                .await;
        }
        Err(error)
    })
}

/// Runs one step and tells about it.
async fn step_to_end(run: Arc<Run>, step: Arc<Step>, scope: Scope, depth: usize) -> Result<()> {
    let counters = Arc::new(Counters::default());
    let name: Arc<str> = step.id.as_str().into();
    run.events
        .emit(Event::Started {
            step: name.clone(),
            op: step.op,
            title: step.title.clone(),
            depth,
            counters: counters.clone(),
        })
        .await;
    let started = Instant::now();
    let scope = scope.in_frame(step.frame);
    let result = tokio::select! {
        // Dropping what runs takes it back: a load that was not committed never was.
        () = run.cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "interrupted")),
        result = perform(run.clone(), step.clone(), scope.clone(), counters.clone(), depth) => result,
    };
    let result = result.map_err(|e| e.map_text(|text| run.redactor.redact(text)).at(&step.place));
    let outcome = match &result {
        Ok(()) => Outcome::Done,
        Err(e) if e.kind() == ErrorKind::Cancelled => Outcome::Cancelled,
        Err(e) if scope.caught() => Outcome::Caught((!e.is_told()).then(|| e.clone())),
        Err(e) => Outcome::Failed((!e.is_told()).then(|| e.clone())),
    };
    run.events
        .emit(Event::Finished {
            step: name,
            op: step.op,
            depth,
            outcome,
            totals: counters.read(),
            took: started.elapsed(),
        })
        .await;
    match result {
        // The failure is told; to the flow the step is done.
        Err(error) if step.on_error == OnError::Continue && error.kind() != ErrorKind::Cancelled => Ok(()),
        result => result.map_err(Error::told),
    }
}

async fn perform(
    run: Arc<Run>,
    step: Arc<Step>,
    scope: Scope,
    counters: Arc<Counters>,
    depth: usize,
) -> Result<()> {
    match &step.action {
        Action::Http(http) => http_step::run(run, &step, http, scope, counters).await,
        Action::Transform(transform) => sql::transform(&run, transform, &scope, &counters).await,
        Action::Execute(execute) => sql::execute(&run, execute, &scope, &counters).await,
        Action::SetVariable(set) => flow::set_variables(&run, &set.set, &scope).await,
        Action::Print(print) => flow::print(&run, &print.message, &scope).await,
        Action::If { branches, otherwise } => flow::branch(&run, branches, otherwise, scope, depth).await,
        Action::ForEach { rows, columns, body } => {
            flow::for_each(&run, rows, columns.as_ref(), body, scope, depth).await
        }
        Action::While {
            condition,
            body,
            max_iterations,
        } => flow::repeat(&run, condition, body, *max_iterations, scope, depth).await,
        Action::Try {
            steps,
            catch,
            finally,
        } => flow::attempt(&run, steps, catch.as_ref(), finally, scope, depth).await,
        Action::Group(body) => region(run, Prepared::new(body), scope, depth + 1).await,
        Action::MigrateSchema(migrate) => migrate::run(&run, migrate, &scope).await,
        Action::EnterFlow {
            frame, parameters, ..
        } => flow::enter(&run, *frame, parameters.as_ref(), &scope).await,
    }
}
