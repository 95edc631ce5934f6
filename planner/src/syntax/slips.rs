//! What is wrong with the keys of a map: unknown ones, missing ones, a value given twice.

use super::keys::Keys;
use super::maps::both_forms;
use super::shape::{EXPRESSION, FREE, Form, Key};
use super::tree::{Node, Scalar, Value};
use crate::codes::Code;
use crate::diagnostic::{Diagnostics, did_you_mean, nearest};
use crate::span::Place;

impl Keys<'_> {
    pub(super) fn check(&self, d: &mut Diagnostics) {
        for (name, place, _) in self.entries {
            if !name.starts_with(FREE) && !self.shape.all().any(|k| k.is(name)) {
                self.unknown(name, place, d);
            }
        }
        for key in self.shape.all() {
            let given: Vec<&(String, Place, Node)> =
                self.entries.iter().filter(|(name, ..)| key.is(name)).collect();
            if let [first, second, ..] = given.as_slice() {
                match first.0.ends_with(EXPRESSION) == second.0.ends_with(EXPRESSION) {
                    // One that says nothing is as good as not given.
                    false if first.2.is_falsy() || second.2.is_falsy() => {}
                    false => both_forms(key.name, &second.1, d),
                    true => {
                        let message = format!("both `{}` and `{}` are given", first.0, second.0);
                        d.error(Code::DuplicateKey, second.1.clone(), message)
                            .help("keep one: they mean the same");
                    }
                }
            }
            // Null is a value; a list whose items are commented out is empty.
            let null_counts = matches!(key.form, Form::Value | Form::Steps);
            let blank = |node: &Node| match (&node.value, key.form) {
                (Value::Scalar(Scalar::Null), _) => !null_counts,
                (
                    Value::Scalar(Scalar::Text { text, .. }),
                    Form::Name | Form::Path | Form::JsonPath | Form::Id | Form::Method,
                ) => text.trim().is_empty(),
                (Value::Scalar(Scalar::Text { text, .. }), _) => key.filled && text.trim().is_empty(),
                (Value::List(items), Form::List(_)) => items.is_empty(),
                _ => false,
            };
            let empty =
                |name: &str, node: &Node| blank(node) || (node.is_null() && name.ends_with(EXPRESSION));
            let there = given.iter().any(|(name, _, node)| !empty(name, node));
            if key.required && !there {
                self.missing(key, d);
            }
        }
    }

    fn unknown(&self, name: &str, place: &Place, d: &mut Diagnostics) {
        let (mut plain, mut python) = (Vec::new(), Vec::new());
        for spelling in self.shape.all().flat_map(Key::spellings) {
            match spelling.ends_with(EXPRESSION) {
                true => python.push(spelling),
                false => plain.push(spelling),
            }
        }
        let (plain, python) = (
            plain.iter().map(String::as_str),
            python.iter().map(String::as_str),
        );
        let with_suffix = format!("{name}{EXPRESSION}");
        let help = match name.ends_with(EXPRESSION) {
            false if python.clone().any(|p| p == with_suffix) => {
                Some(format!("write it as `{with_suffix}`: it is Python"))
            }
            true => did_you_mean(name, "known keys", python),
            false => match nearest(name, plain.clone().chain(python)) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None => did_you_mean(name, "known keys", plain),
            },
        };
        let message = format!("unknown key `{name}` in {}", self.shape.what);
        d.error(Code::UnknownKey, place.clone(), message).maybe_help(help);
    }

    fn missing(&self, key: &Key, d: &mut Diagnostics) {
        let known = |name: &str| self.shape.all().any(|k| k.is(name));
        let others = self
            .entries
            .iter()
            .map(|(k, ..)| k.as_str())
            .filter(|k| !known(k));
        let wanted = match key.plain() {
            true => key.name.to_string(),
            false => format!("{}{EXPRESSION}", key.name),
        };
        let near = nearest(key.name, others);
        d.error(
            Code::MissingKey,
            self.place.clone(),
            format!("{} needs `{wanted}`", self.shape.what),
        )
        .maybe_help(match near {
            Some(near) => Some(format!("`{near}` is there: did you mean `{wanted}`?")),
            None => key.form.example(key.name),
        });
    }
}

impl Form {
    /// How a key of this form is written, where that is not plain to see.
    fn example(self, key: &str) -> Option<String> {
        let example = match (self, key) {
            (Form::Variables, "set") => "for example `set: {next_page: 1}`",
            (Form::Steps, "steps") => "a list of steps: each starts with `- op: ...`",
            _ => return None,
        };
        Some(example.to_string())
    }
}
