//! The rules of a response: which holds, and what follows.

use std::sync::Arc;

use async_trait::async_trait;
use sequor_planner::ops::RuleAction;

use crate::error::Result;
use crate::exchange::Response;
use crate::exec::conditions::holds;
use crate::exec::request::context::RequestContext;
use crate::exec::scope::Scope;
use crate::http::{Judge, Verdict};

/// The rules of a step, in the scope of one request.
pub struct Rules<'a> {
    pub context: &'a RequestContext,
    pub scope: &'a Scope,
}

#[async_trait]
impl Judge for Rules<'_> {
    async fn judge(&self, response: &Arc<Response>) -> Result<Option<Verdict>> {
        let run = &self.context.step.run;
        let world = self.scope.world();
        for (at, rule) in self.context.http.request.response.rules.iter().enumerate() {
            if !rule.status.is_empty() && !rule.status.contains(&response.status) {
                continue;
            }
            let what = format!("`when` of rule {} of {}", at + 1, self.context.step.id());
            if let Some(when) = &rule.when {
                let when = run.evaluator.one(when, &world, Some(response)).await;
                let when = when.map_err(|e| e.context(what.clone()))?;
                if !holds(&self.context.step, &what, &when).await {
                    continue;
                }
            }
            let said = match &rule.message {
                Some(prop) => run.evaluator.one(prop, &world, Some(response)).await?.to_text(),
                None => format!("rule {} says that it failed", at + 1),
            };
            return Ok(Some(match rule.action {
                RuleAction::Retry => Verdict::Retry(said),
                RuleAction::Skip => Verdict::Skip,
                RuleAction::Reject => Verdict::Reject(said),
                RuleAction::Stop => Verdict::Stop,
                RuleAction::Fail => Verdict::Fail(said),
                RuleAction::Keep => Verdict::Keep,
            }));
        }
        Ok(None)
    }
}
