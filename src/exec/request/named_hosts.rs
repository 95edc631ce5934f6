//! The texts in which a source without a base url names the hosts that its credentials are meant for: the flow's own, the
//! source's, and what those who run it gave.

use sequor_planner::expr::{EachProp, Prop};

use crate::exec::api::Api;
use crate::exec::run::Run;
use crate::http::NamedHosts;
use crate::value::Value;

/// Returns the texts. `variables`: values of the source's variables.
pub fn of(run: &Run, api: &Api, variables: impl IntoIterator<Item = Value>) -> NamedHosts {
    let given = run.variables.given().cloned();
    let mut texts: Vec<String> = given.chain(variables).map(|value| value.to_json_text()).collect();
    let mut add = |prop: &Prop| collect(prop, &mut texts);
    run.plan.root.each(&mut |step| step.each_prop(&mut add));
    if let Some(source) = &api.source {
        source.each_prop(&mut add);
    }
    // Of the process's environment only what the flow asks for.
    let asked = |name: &str| {
        let calls = [format!("env_var('{name}'"), format!("env_var(\"{name}\"")];
        texts
            .iter()
            .any(|text| calls.iter().any(|call| text.contains(call)))
    };
    let process: Vec<String> = std::env::vars_os()
        .filter_map(|(name, value)| {
            name.to_str()
                .filter(|name| asked(name))
                .and(value.into_string().ok())
        })
        .collect();
    texts.extend(process);
    NamedHosts::new(texts)
}

/// The texts of a property, as they are written.
fn collect(prop: &Prop, texts: &mut Vec<String>) {
    match prop {
        Prop::Literal(value) => texts.push(value.as_str().map_or_else(|| value.to_string(), str::to_string)),
        Prop::Jinja { code, .. } | Prop::Python { code, .. } => texts.push(code.text.to_string()),
        Prop::List(items) => items.iter().for_each(|item| collect(item, texts)),
        Prop::Map(entries) => entries.iter().for_each(|(_, value)| collect(value, texts)),
    }
}
