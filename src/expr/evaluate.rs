//! The evaluator: one call for all the properties of a request, so that Python is entered once.

use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::expr::{Code, Prop};

use super::jinja::Jinja;
use super::native;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::python::{Call, Python};
use crate::value::Value;
use crate::world::World;

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
    /// Returns the interpreter, for what needs it directly.
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

    /// Evaluates properties whose values variables keep: objects of Python's stay what they are.
    pub async fn kept(
        self: &Arc<Self>,
        props: &[&Prop],
        world: &Arc<dyn World>,
        response: Option<&Arc<Response>>,
    ) -> Result<Vec<Value>> {
        self.each(props, world, response, true).await
    }

    /// Evaluates properties, in order, to plain data.
    pub async fn all(
        self: &Arc<Self>,
        props: &[&Prop],
        world: &Arc<dyn World>,
        response: Option<&Arc<Response>>,
    ) -> Result<Vec<Value>> {
        let mut values = self.each(props, world, response, false).await?;
        for (value, prop) in values.iter_mut().zip(props) {
            if matches!(value, Value::Object(_)) {
                let data = std::mem::replace(value, Value::Null).plain();
                *value = data.map_err(|why| no_data(prop, &why))?;
            }
        }
        Ok(values)
    }

    /// Evaluates properties, in order. Those that block (Python, queries in Jinja) run on the interpreter's thread,
    /// all in one visit.
    async fn each(
        self: &Arc<Self>,
        props: &[&Prop],
        world: &Arc<dyn World>,
        response: Option<&Arc<Response>>,
        keep: bool,
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
                    .map(|p| match p {
                        Prop::Python { code, .. } if keep => {
                            let text = this.python_text(p, &world, &mut call)?;
                            call.keep(code, &text)
                        }
                        p => this.evaluate(p, &world, Some(&mut call)),
                    })
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
            Prop::Jinja { code, .. } => match self.jinja.render(code, world) {
                Ok(text) => Some(Value::text(text)),
                // Python's Jinja2 may know what to do; if not, its words are the better ones.
                Err(error) if error.kind() == ErrorKind::Template => None,
                Err(error) => return Err(error),
            },
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
                Some(Value::keyed(map))
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
            Prop::Jinja { code, python, .. } => self.rendered(code, *python, world, call).map(Value::text),
            Prop::Python { code, .. } => match call {
                Some(call) => {
                    let text = self.python_text(prop, world, call)?;
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
                Ok(Value::keyed(map))
            }
            Prop::List(items) => {
                let mut call = call;
                let items = items.iter().map(|p| self.evaluate(p, world, call.as_deref_mut()));
                items.collect::<Result<Vec<_>>>().map(Value::list)
            }
        }
    }

    /// A template's text: natively, or by Python's Jinja2 where it needs that.
    fn rendered(
        &self,
        code: &Code,
        python: bool,
        world: &Arc<dyn World>,
        call: Option<&mut Call<'_, '_>>,
    ) -> Result<String> {
        let Some(call) = call else {
            return self.jinja.render(code, world);
        };
        if python {
            return call.render(code);
        }
        match self.jinja.render(code, world) {
            Err(error) if error.kind() == ErrorKind::Template => call.render(code),
            rendered => rendered,
        }
    }

    /// Returns the text of Python code, its Jinja rendered.
    pub fn python_text(
        &self,
        prop: &Prop,
        world: &Arc<dyn World>,
        call: &mut Call<'_, '_>,
    ) -> Result<Arc<str>> {
        match prop {
            Prop::Python { code, .. } if sequor_planner::expr::has_template(&code.text) => {
                let native = sequor_planner::expr::is_native_template(&code.text);
                self.rendered(code, !native, world, Some(call)).map(Into::into)
            }
            Prop::Python { code, .. } => Ok(code.text.clone()),
            _ => Err(Error::new(ErrorKind::Internal, "not Python")),
        }
    }
}

/// The error of an object where data is due.
fn no_data(prop: &Prop, why: &str) -> Error {
    let error = Error::new(ErrorKind::Data, why.to_string());
    match prop {
        Prop::Python { code, .. } | Prop::Jinja { code, .. } => {
            error.at(&code.place).context(format!("`{}`", code.property))
        }
        _ => error,
    }
}

/// Whether evaluating takes the interpreter's thread.
fn blocks(prop: &Prop) -> bool {
    match prop {
        Prop::Literal(_) => false,
        Prop::Python { lowered, .. } => lowered.is_none(),
        Prop::Jinja { uses, python, .. } => {
            *python
                || uses.any_source
                || !uses.tables.is_empty()
                || !uses.queries.is_empty()
                || !uses.sources.is_empty()
        }
        Prop::Map(entries) => entries.iter().any(|(_, p)| blocks(p)),
        Prop::List(items) => items.iter().any(blocks),
    }
}
