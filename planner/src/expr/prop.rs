//! A property's value: read from YAML, with its Jinja and Python parsed once for what they use.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use ruff_python_ast::ModModule;

use super::lower::{self, Lowered};
use super::returns::{self, Returns};
use super::uses::Uses;
use super::{jinja, python as python_code};
use crate::codes::Code as DiagnosticCode;
use crate::diagnostic::Diagnostics;
use crate::span::{Place, shared_text, text_to_share};
use crate::syntax::{EXPRESSION, Node, Scalar, UNKNOWN_LINES, Value, both_forms};

/// Text in a language, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Code {
    /// The property's name, as written ("url_expression").
    #[serde(serialize_with = "shared_text", deserialize_with = "text_to_share")]
    pub property: Arc<str>,
    #[serde(serialize_with = "shared_text", deserialize_with = "text_to_share")]
    pub text: Arc<str>,
    pub place: Place,
    /// The line of the file on which the text's first line stands.
    #[serde(skip)]
    pub first_line: usize,
}

impl Code {
    /// Tells whether the lines of the text are lines of the file: those of quoted and of folded text are not.
    pub fn has_lines(&self) -> bool {
        self.first_line != UNKNOWN_LINES
    }

    /// Returns the place of a line of the text (0-based) in the file. Only the line is exact: YAML takes the
    /// indentation away.
    pub fn place_of(&self, line: usize) -> Place {
        if !self.has_lines() || !self.text.trim_end().contains('\n') {
            return self.place.clone();
        }
        Place {
            line: self.first_line + line,
            // The span is that of the whole block.
            start: usize::MAX,
            end: usize::MAX,
            ..self.place.clone()
        }
    }
}

/// A property's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prop {
    /// A value without templates.
    Literal(Json),
    /// A string with Jinja in it: renders to a string.
    Jinja {
        #[serde(flatten)]
        code: Code,
        #[serde(skip)]
        uses: Arc<Uses>,
        /// Whether Python's Jinja2 renders it: the native engine does not know all of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        python: bool,
    },
    /// Python: evaluates to any value.
    Python {
        #[serde(flatten)]
        code: Code,
        #[serde(skip)]
        uses: Arc<Uses>,
        /// What it returns when it is a response parser.
        #[serde(skip)]
        returns: Arc<Returns>,
        /// The same in a form that needs no interpreter, where the code is simple enough.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lowered: Option<Lowered>,
    },
    /// A map with computed entries.
    Map(Vec<(String, Prop)>),
    /// A list with computed items.
    List(Vec<Prop>),
}

impl Prop {
    /// Returns the text, when it is a literal string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Prop::Literal(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Encodes values of the row `row` in the path of a url, where they stand alone in the template.
    pub fn keep_in_path(&mut self, row: &str) {
        if let Prop::Jinja { code, .. } = self
            && let Some(encoded) = super::row_paths::encoded(&code.text, row)
        {
            code.text = encoded.into();
        }
    }

    /// Refuses null for values of the row `row` that stand alone in the templates of a map.
    pub fn require_values(&mut self, row: &str) {
        match self {
            Prop::Map(entries) => entries
                .iter_mut()
                .for_each(|(_, inner)| inner.require_values(row)),
            Prop::Jinja { code, .. } => {
                if let Some(given) = super::row_paths::given(&code.text, row) {
                    code.text = given.into();
                }
            }
            _ => {}
        }
    }

    /// Adds what the value uses to `uses`.
    pub fn collect(&self, all: &mut Uses) {
        match self {
            Prop::Literal(_) => {}
            Prop::Jinja { uses, .. } | Prop::Python { uses, .. } => all.merge(uses),
            Prop::Map(entries) => entries.iter().for_each(|(_, p)| p.collect(all)),
            Prop::List(items) => items.iter().for_each(|p| p.collect(all)),
        }
    }

    /// Returns what the value uses.
    pub fn uses(&self) -> Uses {
        let mut all = Uses::default();
        self.collect(&mut all);
        all
    }

    /// Returns what it returns as a response parser.
    pub fn returns(&self) -> Option<&Returns> {
        match self {
            Prop::Python { returns, .. } => Some(returns),
            _ => None,
        }
    }

    /// Gives Python its native form, here and in the values inside.
    pub fn lower(&mut self) {
        match self {
            Prop::Literal(_) | Prop::Jinja { .. } => {}
            Prop::Python { code, lowered, .. } => *lowered = native(code),
            Prop::Map(entries) => entries.iter_mut().for_each(|(_, p)| p.lower()),
            Prop::List(items) => items.iter_mut().for_each(Prop::lower),
        }
    }

    /// Calls `f` with the code of each part that needs the Python interpreter.
    pub fn each_python<'p>(&'p self, f: &mut dyn FnMut(&'p Code)) {
        match self {
            Prop::Literal(_) => {}
            Prop::Jinja { code, python, .. } if *python => f(code),
            Prop::Python {
                code, lowered: None, ..
            } => f(code),
            Prop::Jinja { .. } | Prop::Python { .. } => {}
            Prop::Map(entries) => entries.iter().for_each(|(_, p)| p.each_python(f)),
            Prop::List(items) => items.iter().for_each(|p| p.each_python(f)),
        }
    }

    /// Tells whether evaluating it needs the Python interpreter.
    pub fn needs_python(&self) -> bool {
        let mut needs = false;
        self.each_python(&mut |_| needs = true);
        needs
    }
}

impl Prop {
    /// Finds out again what was left out when the value was written: what its code uses and returns.
    pub fn restore(&mut self) {
        let mut d = Diagnostics::default();
        match self {
            Prop::Literal(_) => {}
            Prop::Jinja { code, uses, .. } => {
                code.first_line = code.place.line;
                if let Some((found, _)) = jinja::analyse(code, &mut d) {
                    *uses = Arc::new(found);
                }
            }
            Prop::Python {
                code, uses, returns, ..
            } => {
                code.first_line = code.place.line;
                if let Some((found, tree)) = analysed(code, &mut d) {
                    *uses = Arc::new(found);
                    *returns = Arc::new(returns::analyse(&tree));
                }
            }
            Prop::Map(entries) => entries.iter_mut().for_each(|(_, p)| p.restore()),
            Prop::List(items) => items.iter_mut().for_each(Prop::restore),
        }
    }
}

/// What Python code uses, the Jinja in it too, and its tree.
fn analysed(code: &Code, d: &mut Diagnostics) -> Option<(Uses, ModModule)> {
    let mut uses = Uses::default();
    if has_template(&code.text) {
        uses.merge(&jinja::analyse(code, d)?.0);
    }
    let tree = python_code::parse(code, d)?;
    python_code::analyse(&tree, &mut uses);
    Some((uses, tree))
}

/// The native form of Python code, if it has one.
fn native(code: &Code) -> Option<Lowered> {
    if has_template(&code.text) {
        return None;
    }
    // What is wrong with it was told when it was read.
    lower::lower(&python_code::parse(code, &mut Diagnostics::default())?)
}

/// Tells whether text holds Jinja.
pub fn has_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// Reads a value in which only strings are dynamic (Jinja); keys stay as they are.
pub fn literal(property: &str, node: &Node, d: &mut Diagnostics) -> Option<Prop> {
    value(property, node, false, d)
}

/// Reads a map whose entries may also be given as `entry_expression`.
pub fn entries(property: &str, node: &Node, d: &mut Diagnostics) -> Option<Prop> {
    match &node.value {
        Value::Map(_) => value(property, node, true, d),
        Value::Scalar(Scalar::Null) => Some(Prop::Map(Vec::new())),
        _ => {
            d.error(
                DiagnosticCode::WrongType,
                node.place.clone(),
                format!("`{property}` must be a map, not {}", node.kind()),
            );
            None
        }
    }
}

/// Reads a value in which any entry of a map, at any depth, may be given as `entry_expression`.
pub fn computed(property: &str, node: &Node, d: &mut Diagnostics) -> Option<Prop> {
    match &node.value {
        Value::List(items) => {
            let read = items.iter().filter_map(|item| computed(property, item, d));
            Some(fold_list(read.collect()))
        }
        _ => value(property, node, true, d),
    }
}

fn value(property: &str, node: &Node, dynamic: bool, d: &mut Diagnostics) -> Option<Prop> {
    let prop = match &node.value {
        Value::Scalar(Scalar::Text { text, first_line }) if has_template(text) => {
            jinja_prop(property, text, &node.place, *first_line, d)?
        }
        Value::Scalar(Scalar::Text { text, .. }) => Prop::Literal(Json::String(rendered(text))),
        Value::Scalar(_) => Prop::Literal(node.to_json()),
        Value::List(items) => {
            let read = items.iter().filter_map(|n| value(property, n, false, d));
            fold_list(read.collect())
        }
        Value::Map(found) => {
            let mut read: Vec<(String, Prop)> = Vec::with_capacity(found.len());
            for (key, place, node) in found {
                let (name, prop) = match key.strip_suffix(EXPRESSION) {
                    Some(plain) if dynamic => {
                        let beside = found.iter().find(|(k, ..)| k == plain);
                        if beside.is_some_and(|(.., n)| !n.is_falsy()) && !node.is_null() {
                            both_forms(plain, place, d);
                            continue;
                        }
                        match (node.is_null(), beside) {
                            (true, Some(_)) => continue,
                            (true, None) => (plain, Some(Prop::Literal(Json::Null))),
                            _ => (plain, python(key, node, d)),
                        }
                    }
                    _ => {
                        let python = format!("{key}{EXPRESSION}");
                        let beside = |(k, _, n): &(String, Place, Node)| *k == python && !n.is_null();
                        if dynamic && node.is_falsy() && found.iter().any(beside) {
                            continue;
                        }
                        (key.as_str(), value(key, node, false, d))
                    }
                };
                // Names of headers and parameters are text; in a value a key is what it is.
                let name = if dynamic {
                    name.to_string()
                } else {
                    node.key_name(name)
                };
                read.extend(prop.map(|p| (name, p)));
            }
            fold_map(read)
        }
    };
    Some(prop)
}

/// Text without templates as Jinja renders it: line breaks are `\n`, and one at the end goes.
fn rendered(text: &str) -> String {
    let text = match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n"),
        false => text.to_string(),
    };
    match text.strip_suffix('\n') {
        Some(shorter) => shorter.to_string(),
        None => text,
    }
}

/// A list of literals is a literal.
fn fold_list(items: Vec<Prop>) -> Prop {
    if items.iter().all(|p| matches!(p, Prop::Literal(_))) {
        let literal = |p| match p {
            Prop::Literal(json) => Some(json),
            _ => None,
        };
        return Prop::Literal(Json::Array(items.into_iter().filter_map(literal).collect()));
    }
    Prop::List(items)
}

/// A map of literals is a literal.
fn fold_map(entries: Vec<(String, Prop)>) -> Prop {
    if entries.iter().all(|(_, p)| matches!(p, Prop::Literal(_))) {
        let literal = |(k, p)| match p {
            Prop::Literal(json) => Some((k, json)),
            _ => None,
        };
        return Prop::Literal(Json::Object(entries.into_iter().filter_map(literal).collect()));
    }
    Prop::Map(entries)
}

fn jinja_prop(
    property: &str,
    text: &Arc<str>,
    place: &Place,
    first_line: usize,
    d: &mut Diagnostics,
) -> Option<Prop> {
    let code = Code {
        property: property.into(),
        text: text.clone(),
        place: place.clone(),
        first_line,
    };
    let (uses, native) = jinja::analyse(&code, d)?;
    if !native {
        d.jinja2.push((property.to_string(), place.clone()));
    }
    Some(Prop::Jinja {
        code,
        uses: Arc::new(uses),
        python: !native,
    })
}

/// Reads Python code.
pub fn python(property: &str, node: &Node, d: &mut Diagnostics) -> Option<Prop> {
    let (text, first_line): (Arc<str>, usize) = match &node.value {
        Value::Scalar(Scalar::Text { text, first_line }) => (text.clone(), *first_line),
        // `while_expression: true` and `x_expression: 3` are Python too.
        Value::Scalar(Scalar::Bool(true)) => ("True".into(), node.place.line),
        Value::Scalar(Scalar::Bool(false)) => ("False".into(), node.place.line),
        Value::Scalar(Scalar::Number(n)) => (n.to_string().into(), node.place.line),
        _ => {
            d.error(
                DiagnosticCode::WrongType,
                node.place.clone(),
                format!("`{property}` must be Python code, not {}", node.kind()),
            )
            .help("one expression, or statements with `return`");
            return None;
        }
    };
    let code = Code {
        property: property.into(),
        text,
        place: node.place.clone(),
        first_line,
    };
    let (uses, tree) = analysed(&code, d)?;
    if !python_code::returns(&tree) {
        let message = format!("the Python of `{property}` returns nothing, so its value is null");
        d.warning(DiagnosticCode::NoReturn, code.place_of(0), message)
            .help("end it with `return ...`");
    }
    Some(Prop::Python {
        code,
        uses: Arc::new(uses),
        returns: Arc::new(returns::analyse(&tree)),
        lowered: None,
    })
}
