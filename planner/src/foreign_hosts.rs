//! Requests whose host comes out of a response or a row: the credentials of a source without `base_url` are left off there,
//! and the plan says so before.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::http_effects::set_by_response;
use crate::plan::{Action, Plan};
use crate::syntax::{Source, SourceKind};

/// Warns of requests whose credentials will be left off.
pub fn check(plan: &Plan, sources: &IndexMap<String, Source>, d: &mut Diagnostics) {
    let mut answered: BTreeSet<String> = BTreeSet::new();
    plan.root.each(&mut |step| {
        if let Action::Http(http) = &step.action {
            answered.extend(set_by_response(&http.request).into_iter().flatten());
        }
    });
    plan.root.each(&mut |step| {
        let Action::Http(http) = &step.action else { return };
        let request = &http.request.request;
        let Some(name) = &request.source else { return };
        let Some(SourceKind::Http(source)) = sources.get(name).map(|source| &source.kind) else {
            return;
        };
        let has_credentials = source.auth.is_some() || source.headers.is_some();
        if source.base_url.is_some() || source.network.allowed_hosts.is_some() || !has_credentials {
            return;
        }
        let uses = request.url.uses();
        let row = http.request.for_each.as_ref().map(|rows| &rows.variable);
        let mut of_data = uses
            .variables
            .iter()
            .filter(|name| answered.contains(*name) || Some(*name) == row);
        if let Some(variable) = of_data.find(|variable| decides_host(&request.url, variable)) {
            let message = format!(
                "the host of this request comes out of data (`{variable}`): the credentials of source `{name}` are left off there, where no `allowed_hosts` names it"
            );
            d.warning(Code::ForeignHost, request.url_place.clone(), message)
                .help(format!("list the hosts they are meant for in sources/{name}.yaml, or give it a `base_url`"));
        }
    });
}

/// Whether the host of a url depends on a variable: not one whose literal end says where it is.
fn decides_host(url: &Prop, variable: &str) -> bool {
    let text = match url {
        Prop::Jinja { code, .. } => &*code.text,
        // What Python makes of it is not known, where no literal has the host.
        Prop::Python { code, .. } => {
            let rest = code.text.split_once("://").map_or("", |(_, rest)| rest);
            return !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        }
        _ => return false,
    };
    let rest = match text.trim().split_once("://") {
        // A scheme that is computed says nothing of the host.
        Some((scheme, rest)) if !scheme.contains('{') => rest,
        _ if text.trim().starts_with("{{") => text.trim(),
        _ => return false,
    };
    // A path begins outside of what is computed.
    let mut depth = 0usize;
    let end = rest
        .char_indices()
        .find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(c, '/' | '?' | '#')
        })
        .map_or(rest.len(), |(at, _)| at);
    let host = &rest[..end];
    let literal_end = host.rsplit_once("}}").map_or(host, |(_, end)| end);
    let labels = literal_end.split(':').next().unwrap_or_default();
    let named = labels.starts_with('.') && labels[1..].contains('.');
    !named && (host.contains(&format!("'{variable}'")) || host.contains(&format!("\"{variable}\"")))
}
