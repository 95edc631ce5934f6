//! Keys that the run gives a value when a step starts.

use super::keys::Keys;
use super::shape::{EXPRESSION, Form, Key};
use super::tree::Node;
use crate::codes::Code;
use crate::diagnostic::{Deferral, Diagnostics};
use crate::expr;
use crate::span::Place;

impl Keys<'_> {
    /// Tells whether the run gives the value of a key, by Jinja or Python, when the step starts.
    pub fn is_deferred(&self, name: &str, d: &Diagnostics) -> bool {
        self.form(self.key(name), d).is_some()
    }

    /// What a deferred key ends in: nothing where it is Jinja, `_expression` where it is Python.
    fn form(&self, key: &Key, d: &Diagnostics) -> Option<&'static str> {
        if !key.deferred || d.deferred.is_none() {
            return None;
        }
        let plain = self
            .find(key, "")
            .map(|(_, node)| node)
            .filter(|node| !node.is_null());
        if let Some(node) = plain
            && node.as_text().is_some_and(|text| expr::has_template(text))
        {
            return Some("");
        }
        // What says nothing gives way to Python beside it.
        let open = plain.is_none_or(Node::is_falsy);
        let python = || self.find(key, EXPRESSION).filter(|(_, code)| !code.is_null());
        (open && python().is_some()).then_some(EXPRESSION)
    }

    /// Outside of steps there is no start to wait for.
    fn known_before(&self, key: &Key, d: &mut Diagnostics) {
        if let Some((place, _)) = self.find(key, EXPRESSION).filter(|(_, code)| !code.is_null())
            && !matches!(key.form, Form::Columns)
        {
            let message = format!(
                "`{}` of {} must be known when planning",
                key.name, self.shape.what
            );
            d.error(Code::WrongType, place.clone(), message)
                .help(format!("give `{}` as a plain value", key.name));
        }
    }

    /// Tells whether the run gives a key's value; it is noted then.
    pub fn defers(&self, name: &str, d: &mut Diagnostics) -> bool {
        self.defer(name, d).is_some()
    }

    /// Notes a key that the run gives, once. The text that stands for its value until then: it holds a template.
    pub(super) fn defer(&self, name: &str, d: &mut Diagnostics) -> Option<(String, Place)> {
        let key = self.key(name);
        if d.deferred.is_none() && key.deferred {
            self.known_before(key, d);
        }
        let form = self.form(key, d)?;
        let (at, node) = self.find(key, form)?;
        let text = match (form, node.as_text()) {
            ("", Some(text)) => text.to_string(),
            (_, Some(code)) => format!("{{{{ {} }}}}", code.trim()),
            (_, None) => format!("{{{{ {} }}}}", node.to_json()),
        };
        if let Some(all) = &mut d.deferred
            && !all.iter().any(|k| k.key == key.name && k.at.start == at.start)
        {
            all.push(Deferral {
                key: key.name,
                at: at.clone(),
                is_text: matches!(key.form, Form::Name | Form::Choice(_) | Form::Label),
            });
        }
        Some((text, at.clone()))
    }
}
