//! What all requests of a step share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sequor_planner::plan::HttpStep;

use super::rejects::Rejects;
use crate::exec::api::Api;
use crate::exec::context::StepContext;
use crate::exec::load::sink::Sink;
use crate::http::{Auth, Hosts, Limits, Policy};
use crate::value::Row;

/// What all requests of a step share.
pub struct RequestContext {
    pub step: StepContext,
    pub http: HttpStep,
    pub api: Arc<Api>,
    pub auth: Option<Auth>,
    pub base_url: Option<String>,
    pub success: Vec<u16>,
    pub policy: Policy,
    pub limits: Limits,
    /// Where requests may go.
    pub hosts: Hosts,
    pub rejects: Option<Rejects>,
    /// Set when a rule says to ask no more.
    pub stopped: AtomicBool,
    pub sink: Sink,
    /// Rows that take the place of those of the for_each's table.
    pub records: Option<Vec<Row>>,
}
