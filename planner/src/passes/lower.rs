//! Python that is simple enough gets a form that needs no interpreter; what is left is listed.

use super::{PassContext, SelectError};
use crate::expr::EachProp;
use crate::plan::{Plan, PythonCode};

/// Lowers each expression of the plan.
pub fn lower(plan: &mut Plan, _: &PassContext<'_>) -> Result<(), SelectError> {
    let mut python = Vec::new();
    plan.root.each_mut(&mut |step| {
        step.each_prop_mut(&mut |prop| prop.lower());
        let id = &step.id;
        step.each_prop(&mut |prop| {
            prop.each_python(&mut |code| {
                python.push(PythonCode {
                    step: id.clone(),
                    property: code.property.to_string(),
                    place: code.place.clone(),
                });
            });
        });
    });
    plan.python = python;
    Ok(())
}
