//! Calling expressions: the scope and the response set, the result or the exception taken.

use std::any::Any;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sequor_planner::Place;
use sequor_planner::expr::Code;

use super::bridge::SequorError;
use super::convert::from_python;
use super::interpreter::Visit;
use super::object::keep;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;
use crate::value::Value;
use crate::world::World;

/// A visit to the interpreter on behalf of one scope and, after a request, its response.
pub struct Call<'v, 'py> {
    pub(super) py: Python<'py>,
    visit: &'v mut super::session::Session,
    world: Arc<dyn World>,
    response: Option<Arc<Response>>,
}

impl<'v, 'py> Call<'v, 'py> {
    /// Prepares calls in the scope `world`.
    pub fn new(
        visit: &'v mut Visit<'_, 'py>,
        world: &Arc<dyn World>,
        response: Option<&Arc<Response>>,
    ) -> Self {
        Call {
            py: visit.py,
            visit: visit.session,
            world: world.clone(),
            response: response.cloned(),
        }
    }

    /// Evaluates code to a value. `text`: the code's text with its Jinja rendered.
    pub fn evaluate(&mut self, code: &Code, text: &Arc<str>) -> Result<Value> {
        let object = self.object(code, text)?;
        from_python(&object).map_err(|error| self.explain(&error, code))
    }

    /// Evaluates code to a value that a variable keeps.
    pub fn keep(&mut self, code: &Code, text: &Arc<str>) -> Result<Value> {
        let object = self.object(code, text)?;
        keep(&object).map_err(|error| self.explain(&error, code))
    }

    /// Renders a template by Python's Jinja2.
    pub fn render(&mut self, code: &Code) -> Result<String> {
        let bridge = self.visit.bridge.clone_ref(self.py);
        bridge.get().enter(self.world.clone());
        let rendered = self
            .prelude()
            .getattr("render")
            .and_then(|render| render.call1((&*code.text, self.visit.names.bind(self.py))))
            .and_then(|text| text.extract::<String>());
        let left = bridge.get().leave(self.py);
        match rendered {
            Ok(text) => left.map(|()| text).map_err(|e| self.explain(&e, code)),
            Err(error) => Err(self.explain_template(&error, code)),
        }
    }

    /// An exception of a template as an error.
    fn explain_template(&self, error: &PyErr, code: &Code) -> Error {
        if error.is_instance_of::<SequorError>(self.py)
            && let Some(own) = self.visit.bridge.get().take_error()
        {
            return own.at(&code.place);
        }
        if let Some(traceback) = error.traceback(self.py) {
            let _ = error.value(self.py).call_method1("with_traceback", (traceback,));
        }
        let explained: PyResult<(Option<usize>, String)> = self
            .prelude()
            .getattr("explain_template")
            .and_then(|f| f.call1((error.value(self.py),)))
            .and_then(|found| found.extract());
        let (line, message) = explained.unwrap_or_else(|_| (None, error.to_string()));
        let line = match code.has_lines() {
            true => code.first_line + line.unwrap_or(1).saturating_sub(1),
            false => code.place.line,
        };
        Error::new(
            ErrorKind::Template,
            format!(
                "the Jinja of `{}` failed on line {line}: {message}",
                code.property
            ),
        )
        .at(&code.place)
    }

    /// Evaluates code to an object.
    pub(super) fn object(&mut self, code: &Code, text: &Arc<str>) -> Result<Bound<'py, PyAny>> {
        self.call(code, text).map_err(|error| self.explain(&error, code))
    }

    fn call(&mut self, code: &Code, text: &Arc<str>) -> PyResult<Bound<'py, PyAny>> {
        let response = match self.response.clone() {
            Some(response) => Some(self.response_object(&response)?),
            None => None,
        };
        let bridge = self.visit.bridge.clone_ref(self.py);
        bridge.get().enter(self.world.clone());
        let compiled = self.visit.compiled(self.py, code, text)?;
        let globals = compiled.globals.bind(self.py);
        if let Some(response) = response {
            globals.set_item("response", response)?;
        }
        let result = compiled.function.bind(self.py).call0();
        bridge.get().leave(self.py)?;
        // A response may be large: it must not outlive its turn in some expression's globals.
        if self.response.is_some() {
            globals.del_item("response")?;
        }
        result
    }

    /// Returns the module of the Python side.
    pub(super) fn prelude(&self) -> &Bound<'py, PyModule> {
        self.visit.prelude.bind(self.py)
    }

    /// The response's Python object: made once, so that its JSON is parsed once.
    fn response_object(&self, response: &Response) -> PyResult<Bound<'py, PyAny>> {
        if let Some(made) = response.object.get().and_then(|o| o.downcast_ref::<Py<PyAny>>()) {
            return Ok(made.bind(self.py).clone());
        }
        let headers: Vec<(String, String)> = response
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let args = (
            response.status,
            headers,
            response.url.as_str(),
            PyBytes::new(self.py, &response.body),
            response.encoding(),
        );
        let made = self.prelude().getattr("Response")?.call1(args)?;
        let kept: Arc<dyn Any + Send + Sync> = Arc::new(made.clone().unbind());
        let _ = response.object.set(kept);
        Ok(made)
    }

    /// Returns an exception as an error: property, line in the expression, line in the file.
    pub(super) fn explain(&self, error: &PyErr, code: &Code) -> Error {
        if error.is_instance_of::<SequorError>(self.py)
            && let Some(own) = self.visit.bridge.get().take_error()
        {
            return own.at(&code.place).context(format!("`{}`", code.property));
        }
        // Before 3.12 an exception taken by the C API does not hold its traceback itself.
        if let Some(traceback) = error.traceback(self.py) {
            let _ = error.value(self.py).call_method1("with_traceback", (traceback,));
        }
        let explained: PyResult<(Option<usize>, String, String)> = self
            .prelude()
            .getattr("explain")
            .and_then(|f| f.call1((error.value(self.py), &*code.place.file)))
            .and_then(|found| found.extract());
        let (line, message, trace) = explained.unwrap_or_else(|_| (None, error.to_string(), String::new()));
        let at = match line {
            Some(line) => {
                let inner = line.saturating_sub(code.first_line.max(1)) + 1;
                match code.has_lines() {
                    true => format!(" on line {inner} (line {line} of {})", code.place.file),
                    false => format!(" on line {inner}"),
                }
            }
            None => String::new(),
        };
        let line = line.filter(|_| code.has_lines());
        let place = Place {
            line: line.unwrap_or(code.place.line),
            column: if line.is_some_and(|l| l != code.place.line) {
                1
            } else {
                code.place.column
            },
            ..code.place.clone()
        };
        Error::new(
            ErrorKind::Python,
            format!("the Python of `{}` failed{at}: {message}", code.property),
        )
        .at(&place)
        .trace(trace)
    }
}
