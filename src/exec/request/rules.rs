//! The rules of a response: which holds, and what follows.

use std::sync::Arc;

use async_trait::async_trait;
use sequor_planner::expr::Prop;
use sequor_planner::ops::RuleAction;

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::exec::conditions::holds;
use crate::exec::request::context::RequestContext;
use crate::exec::scope::Scope;
use crate::http::{Judge, Verdict};
use crate::value::Value;

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
                let value = run.evaluator.one(when, &world, Some(response)).await;
                let value = value.map_err(|e| e.context(what.clone()))?;
                let holds = match when {
                    Prop::Python { .. } => is_truthy(&value),
                    _ => holds(&self.context.step, &what, &value).await,
                };
                if !holds {
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
                RuleAction::Reject => match &rule.rows {
                    None => Verdict::Reject(said),
                    Some(prop) => {
                        let rows = run.evaluator.one(prop, &world, Some(response)).await?;
                        Verdict::RejectRows(positions(&rows, &what)?, said)
                    }
                },
                RuleAction::Stop => Verdict::Stop,
                RuleAction::Fail => Verdict::Fail(said),
                RuleAction::Keep => Verdict::Keep,
            }));
        }
        Ok(None)
    }
}

/// The truth of a value as Python has it: `response.json()['errors']` holds where the list has any. A text that says that
/// something is false is.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Int(n) => *n != 0,
        Value::Float(n) => *n != 0.0,
        Value::BigInt(text) | Value::Number(text) => text.parse::<f64>().is_ok_and(|n| n != 0.0),
        Value::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            !matches!(text.as_str(), "" | "false" | "none")
        }
        Value::List(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        Value::Pairs(pairs) => !pairs.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::Object(object) => object
            .data()
            .map_or_else(|_| value.is_true(), |data| is_truthy(&data)),
        _ => true,
    }
}

/// The positions of rows that a rule rejects.
fn positions(rows: &Value, what: &str) -> Result<Vec<usize>> {
    let listed = match rows {
        Value::List(items) => items
            .iter()
            .map(|item| match item {
                Value::Int(n) => usize::try_from(*n).ok(),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    listed.ok_or_else(|| {
        let message = format!(
            "`rows_expression` must give a list of positions from 0, and gave {}",
            rows.kind()
        );
        Error::new(ErrorKind::Data, message)
            .context(what.replace("`when` of ", ""))
            .help("for example `[i for i, x in enumerate(response.json()['results']) if x['error']]`")
    })
}
