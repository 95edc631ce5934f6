//! Keys that the run gives a value when a step starts.

use super::keys::Keys;
use super::shape::{EXPRESSION, Form, Key};
use super::tree::Node;
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::{self, Prop};
use crate::ops::DeferredKey;
use crate::span::Place;

impl Keys<'_> {
    /// Whether the run gives the value of a key, by Jinja or Python, when the step starts.
    pub fn is_deferred(&self, name: &str, d: &Diagnostics) -> bool {
        let key = self.key(name);
        let template = |node: &Node| node.as_text().is_some_and(|text| expr::has_template(text));
        let python = || {
            self.find(key, EXPRESSION)
                .is_some_and(|(_, code)| !code.is_null())
        };
        let plain = self.node(name);
        key.deferred && d.deferred.is_some() && plain.map_or_else(python, template)
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

    /// Whether the run gives a key's value; it is noted then.
    pub fn defers(&self, name: &str, d: &mut Diagnostics) -> bool {
        self.defer(name, d).is_some()
    }

    /// Notes a key that the run gives, once. The text that stands for its value until then: it holds a template.
    pub(super) fn defer(&self, name: &str, d: &mut Diagnostics) -> Option<(String, Place)> {
        let key = self.key(name);
        if d.deferred.is_none() && key.deferred {
            self.known_before(key, d);
        }
        if !self.is_deferred(name, d) {
            return None;
        }
        let form = if self.node(name).is_some() { "" } else { EXPRESSION };
        let (at, _) = self.find(key, form)?;
        let value = match form {
            "" => expr::literal(name, self.node(name)?, d),
            _ => self.prop(name, d),
        }?;
        let text = match &value {
            Prop::Jinja { code, .. } => code.text.to_string(),
            Prop::Python { code, .. } => format!("{{{{ {} }}}}", code.text.trim()),
            _ => return None,
        };
        let noted = DeferredKey {
            key: key.name,
            value,
            at: at.clone(),
            is_text: matches!(key.form, Form::Name | Form::Choice(_) | Form::Label),
        };
        if let Some(all) = &mut d.deferred
            && !all.iter().any(|k| k.key == noted.key && k.at.start == at.start)
        {
            all.push(noted);
        }
        Some((text, at.clone()))
    }
}
