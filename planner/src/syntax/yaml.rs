//! YAML text to [`Node`]s, by saphyr's parser.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Number;

use super::tree::{Node, Scalar, Value};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::span::Place;

/// How many nodes a file may have once its aliases are expanded: aliases of aliases grow without bound.
const MAX_NODES: usize = 1_000_000;
/// How deep values may nest; the readers recurse.
const MAX_DEPTH: usize = 64;

/// Parses one YAML document. An empty file is null. Errors go to `diagnostics`.
pub fn parse(file: &Arc<str>, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let mut builder = Builder {
        file,
        offsets: char_offsets(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut parser = Parser::new_from_str(text);
    match builder.document(&mut parser) {
        Ok(node) => Some(node),
        Err(problem) => {
            let place = builder.place_at(problem.at.0, problem.at.1, problem.at.2, 1);
            diagnostics
                .error(problem.code, place, problem.message)
                .maybe_help(problem.help);
            None
        }
    }
}

/// Byte offset of every character, since the parser counts characters. None for ASCII text, where they are the same.
fn char_offsets(text: &str) -> Option<Vec<usize>> {
    (!text.is_ascii()).then(|| text.char_indices().map(|(i, _)| i).chain([text.len()]).collect())
}

struct Problem {
    code: Code,
    /// Character index, line, column (0-based).
    at: (usize, usize, usize),
    message: String,
    help: Option<String>,
}

struct Builder<'a> {
    file: &'a Arc<str>,
    offsets: Option<Vec<usize>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

type Events<'t> = Parser<'t, saphyr_parser::StrInput<'t>>;

impl Builder<'_> {
    fn document<'t>(&mut self, parser: &mut Events<'t>) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next(parser)?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(problem(&span, "a file holds one YAML document"));
                }
                Event::DocumentStart(_) => {}
                event => root = Some(self.node(parser, event, span, 0)?),
            }
        }
        Ok(root.unwrap_or_else(|| Node {
            value: Value::Scalar(Scalar::Null),
            place: self.place_at(0, 1, 0, 0),
        }))
    }

    fn next<'t>(&self, parser: &mut Events<'t>) -> Result<(Event<'t>, Span), Problem> {
        match parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let m = error.marker();
                Err(Problem {
                    code: Code::YamlSyntax,
                    at: (m.index(), m.line(), m.col()),
                    message: format!("the YAML can't be read: {}", error.info()),
                    help: Some("check the indentation, and quote strings that start with one of { [ * & ! % @ ` or hold `: `".into()),
                })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node<'t>(
        &mut self,
        parser: &mut Events<'t>,
        event: Event<'t>,
        span: Span,
        depth: usize,
    ) -> Result<Node, Problem> {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(problem(
                &span,
                format!("values nest deeper than {MAX_DEPTH} levels"),
            ));
        }
        if self.nodes > MAX_NODES {
            return Err(problem(&span, format!("more than {MAX_NODES} values")));
        }
        let (value, anchor, end) = match event {
            Event::Alias(id) => {
                let node = self.anchors.get(&id).cloned();
                let node = node.ok_or_else(|| problem(&span, "the alias names no anchor before it"))?;
                self.nodes += count(&node);
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let first_line = match style {
                    // The parser's span leaves out the empty lines that a block begins with; the text has them.
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        let empty = text.len() - text.trim_start_matches('\n').len();
                        span.start.line().saturating_sub(empty)
                    }
                    _ => span.start.line(),
                };
                (
                    Value::Scalar(resolve(&text, style, tag.as_deref(), first_line)),
                    anchor,
                    span,
                )
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next(parser)?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(parser, event, span, depth + 1)?);
                }
                (Value::List(items), anchor, span)
            }
            Event::MappingStart(anchor, _) => {
                let entries = self.map(parser, depth)?;
                (Value::Map(entries), anchor, span)
            }
            other => return Err(problem(&span, format!("unexpected {other:?}"))),
        };
        let place = match (&value, &value) {
            (Value::Map(entries), _) if !entries.is_empty() && end.is_empty() => entries[0].1.clone(),
            _ => self.place(&end),
        };
        let node = Node { value, place };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn map<'t>(
        &mut self,
        parser: &mut Events<'t>,
        depth: usize,
    ) -> Result<Vec<(String, Place, Node)>, Problem> {
        let mut entries: Vec<(String, Place, Node)> = Vec::new();
        let mut merged: Vec<String> = Vec::new();
        loop {
            let (event, span) = self.next(parser)?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let Event::Scalar(key, ..) = event else {
                return Err(problem(&span, "a key must be plain text"));
            };
            let key_place = self.place(&span);
            // What `<<` brought in is there to be overridden.
            if let Some(at) = merged.iter().position(|k| *k == *key) {
                entries.retain(|(k, ..)| *k != *key);
                merged.swap_remove(at);
            }
            if let Some((_, first, _)) = entries.iter().find(|(k, ..)| *k == *key) {
                return Err(Problem {
                    code: Code::DuplicateKey,
                    message: format!("key `{key}` is given twice (first on line {})", first.line),
                    ..problem(&span, "")
                });
            }
            let (event, span) = self.next(parser)?;
            let node = self.node(parser, event, span, depth + 1)?;
            // `<<: *anchor` takes over the anchor's entries, as YAML 1.1 readers do.
            match (key.as_ref(), &node.value) {
                ("<<", Value::Map(taken)) => {
                    for entry in taken {
                        if !entries.iter().any(|(k, ..)| *k == entry.0) {
                            merged.push(entry.0.clone());
                            entries.push(entry.clone());
                        }
                    }
                }
                _ => {
                    let node = if node.is_null() {
                        at(node, &key_place)
                    } else {
                        node
                    };
                    entries.push((key.into_owned(), key_place, node));
                }
            }
        }
    }

    fn place(&self, span: &Span) -> Place {
        let chars = span.end.index().saturating_sub(span.start.index());
        self.place_at(span.start.index(), span.start.line(), span.start.col(), chars)
    }

    fn place_at(&self, index: usize, line: usize, column: usize, chars: usize) -> Place {
        let byte = |i: usize| match &self.offsets {
            None => i,
            Some(offsets) => offsets[i.min(offsets.len() - 1)],
        };
        Place {
            file: self.file.clone(),
            line,
            column: column + 1,
            start: byte(index),
            end: byte(index + chars),
        }
    }
}

/// A null has no text of its own to point at: its key has.
fn at(node: Node, place: &Place) -> Node {
    Node {
        place: place.clone(),
        ..node
    }
}

fn count(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(_) => 1,
        Value::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, _, n)| count(n)).sum::<usize>(),
    }
}

fn problem(span: &Span, message: impl Into<String>) -> Problem {
    Problem {
        code: Code::YamlSyntax,
        at: (span.start.index(), span.start.line(), span.start.col()),
        message: message.into(),
        help: None,
    }
}

/// The core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), as PyYAML users write it.
fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>, first_line: usize) -> Scalar {
    let as_text = || Scalar::Text {
        text: text.into(),
        first_line,
    };
    if style != ScalarStyle::Plain || tag.is_some_and(|t| t.suffix == "str") {
        return as_text();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
    let number = if let Some(hex) = text.strip_prefix("0x") {
        radix(hex, 16)
    } else if let Some(octal) = text.strip_prefix("0o") {
        radix(octal, 8)
    } else if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        let digits = text.strip_prefix('+').unwrap_or(text);
        digits
            .parse::<i64>()
            .map(Number::from)
            .ok()
            .or_else(|| digits.parse::<u64>().map(Number::from).ok())
            .or_else(|| digits.parse::<f64>().ok().and_then(Number::from_f64))
    } else {
        None
    };
    number.map_or_else(as_text, Scalar::Number)
}
