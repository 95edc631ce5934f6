//! The evaluator: one call for all the properties of a request, so that Python is entered once.

use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::expr::Prop;

use super::jinja::Jinja;
use super::native;
use super::world::World;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::python::{Call, Python};
use crate::value::Value;

/// Evaluates properties. Shared by all steps of a run.
pub struct Evaluator {
    jinja: Jinja,
    python: Python,
}

impl Default for Evaluator {
    fn default() -> Self {
        Evaluator {
            jinja: Jinja::new(),
            python: Python::new(),
        }
    }
}

impl Evaluator {
    /// The interpreter, for what needs it directly.
    pub fn python(&self) -> &Python {
        &self.python
    }

    /// Evaluates one property.
    pub async fn one(
        self: &Arc<Self>,
        prop: &Prop,
        world: &Arc<dyn World>,
        response: Option<&Arc<Response>>,
    ) -> Result<Value> {
        let mut values = self.all(&[prop], world, response).await?;
        Ok(values.pop().unwrap_or(Value::Null))
    }

    /// Evaluates properties, in order. Those that block (Python, queries in Jinja) run on the interpreter's thread,
    /// all in one visit.
    pub async fn all(
        self: &Arc<Self>,
        props: &[&Prop],
        world: &Arc<dyn World>,
        response: Option<&Arc<Response>>,
    ) -> Result<Vec<Value>> {
        if !props.iter().any(|prop| blocks(prop)) {
            let respond = response.map(|r| &**r);
            let values: Option<Result<Vec<Value>>> = props
                .iter()
                .map(|p| self.without_python(p, world, respond).transpose())
                .collect();
            // None: something is not as the native form expects it, and Python knows what that means.
            if let Some(values) = values {
                return values;
            }
        }
        let (this, world, response) = (self.clone(), world.clone(), response.cloned());
        // Only the interpreter's thread needs properties of its own.
        let props: Vec<Prop> = props.iter().map(|prop| (*prop).clone()).collect();
        self.python
            .visit(move |py| {
                let mut call = Call::new(py, &world, response.as_ref());
                props
                    .iter()
                    .map(|p| this.evaluate(p, &world, Some(&mut call)))
                    .collect()
            })
            .await?
    }

    /// Evaluates a property that needs no interpreter; none where it does after all.
    fn without_python(
        &self,
        prop: &Prop,
        world: &Arc<dyn World>,
        response: Option<&Response>,
    ) -> Result<Option<Value>> {
        Ok(match prop {
            Prop::Literal(json) => Some(Value::from(json)),
            Prop::Jinja { code, .. } => Some(Value::text(self.jinja.render(code, world)?)),
            Prop::Python { lowered, .. } => {
                let lowered = lowered.as_ref();
                lowered.and_then(|lowered| native::evaluate(lowered, world, response))
            }
            Prop::Map(entries) => {
                let mut map = IndexMap::with_capacity(entries.len());
                for (key, prop) in entries {
                    let Some(value) = self.without_python(prop, world, response)? else {
                        return Ok(None);
                    };
                    map.insert(key.clone(), value);
                }
                Some(Value::Map(Arc::new(map)))
            }
            Prop::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for prop in items {
                    let Some(value) = self.without_python(prop, world, response)? else {
                        return Ok(None);
                    };
                    list.push(value);
                }
                Some(Value::list(list))
            }
        })
    }

    /// Evaluates a property; Python only where a call is given.
    pub fn evaluate(
        &self,
        prop: &Prop,
        world: &Arc<dyn World>,
        call: Option<&mut Call<'_, '_>>,
    ) -> Result<Value> {
        match prop {
            Prop::Literal(json) => Ok(Value::from(json)),
            Prop::Jinja { code, .. } => self.jinja.render(code, world).map(Value::text),
            Prop::Python { code, .. } => match call {
                Some(call) => {
                    let text = self.python_text(prop, world)?;
                    call.evaluate(code, &text)
                }
                None => Err(Error::new(
                    ErrorKind::Internal,
                    "Python outside the interpreter's thread",
                )),
            },
            Prop::Map(entries) => {
                let mut map = IndexMap::with_capacity(entries.len());
                let mut call = call;
                for (key, prop) in entries {
                    map.insert(key.clone(), self.evaluate(prop, world, call.as_deref_mut())?);
                }
                Ok(Value::Map(Arc::new(map)))
            }
            Prop::List(items) => {
                let mut call = call;
                let items = items.iter().map(|p| self.evaluate(p, world, call.as_deref_mut()));
                items.collect::<Result<Vec<_>>>().map(Value::list)
            }
        }
    }

    /// The text of Python code, its Jinja rendered.
    pub fn python_text(&self, prop: &Prop, world: &Arc<dyn World>) -> Result<Arc<str>> {
        match prop {
            Prop::Python { code, .. } if sequor_planner::expr::has_template(&code.text) => {
                self.jinja.render(code, world).map(Into::into)
            }
            Prop::Python { code, .. } => Ok(code.text.clone()),
            _ => Err(Error::new(ErrorKind::Internal, "not Python")),
        }
    }
}

/// Whether evaluating takes the interpreter's thread.
fn blocks(prop: &Prop) -> bool {
    match prop {
        Prop::Literal(_) => false,
        Prop::Python { lowered, .. } => lowered.is_none(),
        Prop::Jinja { uses, .. } => {
            uses.any_source || !uses.tables.is_empty() || !uses.queries.is_empty() || !uses.sources.is_empty()
        }
        Prop::Map(entries) => entries.iter().any(|(_, p)| blocks(p)),
        Prop::List(items) => items.iter().any(blocks),
    }
}
