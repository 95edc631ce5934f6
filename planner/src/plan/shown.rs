//! A plan as it may be shown and kept in a file: without the values of secrets.

use super::{Action, Plan, Step};
use crate::expr::EachProp;
use crate::ops::{Plain, VariableSet};
use crate::secrets::is_secret_name;
use crate::syntax::{hide, hide_named};

impl Plan {
    /// Returns the plan with `***` for each plain value whose name says that it is a secret: entries of headers, parameters
    /// and bodies, parameters of urls, variables. Expressions stay: what they look up is no part of them.
    pub fn without_secrets(&self) -> Plan {
        let mut plan = self.clone();
        plan.root.each_mut(&mut hide_in_step);
        plan
    }
}

fn hide_in_step(step: &mut Step) {
    step.each_prop_mut(&mut hide_named);
    match &mut step.action {
        Action::Plain(plain) => {
            if let Plain::SetVariable(set) = &mut **plain {
                set.set.iter_mut().for_each(hide_variable);
            }
        }
        Action::Http(http) => {
            let request = &mut http.request;
            let set = request.init.iter_mut().chain(&mut request.response.variables);
            set.for_each(hide_variable);
        }
        _ => {}
    }
}

fn hide_variable(variable: &mut VariableSet) {
    if is_secret_name(&variable.name) {
        hide(&mut variable.value);
    }
}
