//! Requests of a dry run: those that are not sent, and what answers them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use sequor_planner::ops::Mock;

use super::context::RequestContext;
use super::mocked;
use crate::error::{ErrorKind, Result};
use crate::exchange::{Request, Response};
use crate::exec::dry::Dry;
use crate::exec::scope::Scope;
use crate::exec::script::Script;
use crate::http::{Sending, Sent, Transport, Verdict};

/// Sends a request that only reads, and answers others: from recordings, as the step or a test says, or by a success without
/// content.
pub async fn answered(
    context: &RequestContext,
    (dry, scope): (&Dry, &Scope),
    sending: &Sending<'_>,
    request: &Request,
) -> Sent {
    let step = context.step.id();
    let script = dry.script.as_ref();
    if let Some(script) = script.filter(|script| script.answers(step)) {
        let by_test = Answering {
            context,
            scope,
            from: From::Test(script),
        };
        return by_test.send(sending, request).await;
    }
    let given = &context.http.request.request;
    let reads = given.safe || matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let replays = context.step.run.apis.replays();
    let is_missing = context.unsendable || dry.stands_in(request.url.as_str());
    if replays || (reads && !dry.offline && !is_missing) {
        let noted = Noted {
            inner: sending.transport,
            script,
        };
        let sending = Sending {
            transport: &noted,
            at_once: script.is_some(),
            ..*sending
        };
        let sent = sending.send(request).await;
        match &sent.result {
            Err(error) if replays && error.kind() == ErrorKind::Replay => {}
            _ => return sent,
        }
    }
    let made_up = match dry.unsent(step, request, &context.step.run.redactor).await {
        Ok(made_up) => made_up,
        Err(error) => return sent(None, Err(error)),
    };
    match &context.http.request.mock {
        Some(mock) => {
            let by_step = Answering {
                context,
                scope,
                from: From::Step(mock, script),
            };
            by_step.send(sending, request).await
        }
        None => {
            if let Some(script) = script {
                script.note(step, request);
            }
            let status = made_up.status;
            sent(Some(status), sending.judged(made_up.into(), request).await)
        }
    }
}

/// What came of a request that was not sent.
fn sent(status: Option<u16>, result: Result<(Arc<Response>, Verdict)>) -> Sent {
    Sent {
        status,
        result,
        attempts: 1,
        requests: 1,
        waited: Duration::ZERO,
        blame: None,
        was_unclear: false,
    }
}

/// Who says what an answer is.
enum From<'a> {
    Test(&'a Script),
    Step(&'a Mock, Option<&'a Script>),
}

/// Answers requests in the place of a server.
struct Answering<'a> {
    context: &'a RequestContext,
    scope: &'a Scope,
    from: From<'a>,
}

impl Answering<'_> {
    /// Sends a request here: what it is answered with is judged, and asked for again, as what a server says.
    async fn send(&self, sending: &Sending<'_>, request: &Request) -> Sent {
        let sending = Sending {
            transport: self,
            auth: None,
            at_once: true,
            ..*sending
        };
        sending.send(request).await
    }
}

#[async_trait]
impl Transport for Answering<'_> {
    async fn send(&self, step: &str, request: &Request) -> Result<Response> {
        let (mock, script) = match &self.from {
            From::Test(script) => (script.next(step), Some(*script)),
            From::Step(mock, script) => (Ok(*mock), *script),
        };
        if let Some(script) = script {
            script.note(step, request);
        }
        let answer = match mock {
            Ok(mock) => mocked::response(self.context, self.scope, mock, request).await,
            Err(error) => Err(error),
        };
        // Whatever the flow makes of it, it is no failure of the API's.
        if let (Some(script), Err(error)) = (script, &answer) {
            script.mistake(error);
        }
        answer
    }
}

/// Notes requests for a test.
struct Noted<'a> {
    inner: &'a dyn Transport,
    script: Option<&'a Script>,
}

#[async_trait]
impl Transport for Noted<'_> {
    async fn send(&self, step: &str, request: &Request) -> Result<Response> {
        let response = self.inner.send(step, request).await?;
        if let Some(script) = self.script {
            script.note(step, request);
        }
        Ok(response)
    }
}
