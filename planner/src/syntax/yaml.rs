//! YAML text to [`Node`]s, by saphyr's parser.

use std::collections::HashMap;
use std::sync::Arc;

use super::brackets::{BLANKS, moved_line};
use super::scalars::{self, Version};
use super::tags::{first_line, is_bare, resolve};
use super::tree::{Node, Scalar, Value};
use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::span::Place;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

/// How many nodes a file may have once its aliases are expanded: aliases of aliases grow without bound.
const MAX_NODES: usize = 1_000_000;
/// How deep values may nest; the readers recurse.
const MAX_DEPTH: usize = 64;

/// How often a line of a flow mapping or list is moved to where the parser wants it.
const MAX_MOVED: usize = 200;

/// Parses one YAML 1.2 document. An empty file is null. Errors go to `diagnostics`.
pub fn parse(file: &Arc<str>, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    read(file, text, Version::V12, diagnostics)
}

/// Returns the same of an environment's file, which is YAML 1.1: of a key given twice the last counts, with a warning.
pub fn parse_environment(file: &Arc<str>, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    read(file, text, Version::V11, diagnostics)
}

fn read(file: &Arc<str>, text: &str, version: Version, diagnostics: &mut Diagnostics) -> Option<Node> {
    let mut moved: Vec<usize> = Vec::new();
    let mut current = text.to_string();
    let has_tabs = text.contains('\t');
    loop {
        let mut builder = Builder {
            text,
            has_tabs,
            file,
            version,
            offsets: char_offsets(text),
            moved: &moved,
            anchors: HashMap::new(),
            twice: Vec::new(),
            nodes: 0,
        };
        let mut parser = Parser::new_from_str(&current);
        let problem = match builder.document(&mut parser) {
            Ok(node) => {
                for (key, first, place) in builder.twice {
                    let message =
                        format!("key `{key}` is given twice (first on line {first}): the last counts");
                    diagnostics
                        .warning(Code::DuplicateKey, place, message)
                        .help("keep one of them");
                }
                return Some(node);
            }
            Err(problem) => problem,
        };
        let place = builder.place_at(problem.at.0, problem.at.1, problem.at.2, 1);
        // A line within brackets may be indented less than its key, or not at all: readers in Python take that.
        let odd = problem.code == Code::YamlSyntax && problem.message.contains("invalid indentation");
        let further = (odd && moved.len() < MAX_MOVED).then(|| moved_line(&current, problem.at.1));
        if let Some((at, further)) = further.flatten() {
            current = further;
            moved.push(at);
            continue;
        }
        diagnostics
            .error(problem.code, place, problem.message)
            .maybe_help(problem.help);
        return None;
    }
}

/// Byte offset of every character, since the parser counts characters. None for ASCII text, where they are the same.
fn char_offsets(text: &str) -> Option<Vec<usize>> {
    (!text.is_ascii()).then(|| text.char_indices().map(|(i, _)| i).chain([text.len()]).collect())
}

/// The entries of a map.
type Entries = Vec<(String, Place, Node)>;

struct Problem {
    code: Code,
    /// Character index, line, column (0-based).
    at: (usize, usize, usize),
    message: String,
    help: Option<String>,
}

struct Builder<'a> {
    text: &'a str,
    has_tabs: bool,
    file: &'a Arc<str>,
    version: Version,
    /// Of the text as the file has it.
    offsets: Option<Vec<usize>>,
    /// Where blanks were put before lines, each as the text then was.
    moved: &'a [usize],
    anchors: HashMap<usize, Node>,
    /// Keys given twice, with the line of the first.
    twice: Vec<(String, usize, Place)>,
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
            key: None,
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
                let first_line = first_line(&text, style, span.start.line(), anchor != 0);
                let scalar = resolve(&text, style, tag.as_deref(), first_line, self.version);
                let scalar = scalar.map_err(|message| problem(&span, message))?;
                (Value::Scalar(scalar), anchor, span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &span)?;
                let pairs = tag.is_some_and(|tag| tag.suffix == "omap");
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next(parser)?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(parser, event, span, depth + 1)?);
                }
                let value = match pairs {
                    true => self.ordered_map(items),
                    false => Value::List(items),
                };
                (value, anchor, span)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &span)?;
                let entries = self.map(parser, depth)?;
                (Value::Map(entries), anchor, span)
            }
            other => return Err(problem(&span, format!("unexpected {other:?}"))),
        };
        let place = match (&value, &value) {
            (Value::Map(entries), _) if !entries.is_empty() && end.is_empty() => entries[0].1.clone(),
            _ => self.place(&end),
        };
        let node = Node {
            value,
            place,
            key: None,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// PyYAML refuses tags that it does not know.
    fn check_tag(&self, tag: Option<&Tag>, span: &Span) -> Result<(), Problem> {
        let own = |tag: &Tag| tag.handle == "tag:yaml.org,2002:" || tag.handle == "!!";
        match tag.filter(|tag| self.version == Version::V11 && !own(tag) && !is_bare(tag)) {
            Some(tag) => Err(problem(
                span,
                format!("`!{}` is no tag that an environment may have", tag.suffix),
            )),
            None => Ok(()),
        }
    }

    /// `!!omap`: maps of one entry each, in order. ruamel.yaml makes a map of them, PyYAML a list of pairs.
    fn ordered_map(&self, items: Vec<Node>) -> Value {
        let single = |item: &Node| matches!(&item.value, Value::Map(entries) if entries.len() == 1);
        if !items.iter().all(single) {
            return Value::List(items);
        }
        let entries = items.into_iter().flat_map(|item| match item.value {
            Value::Map(entries) => entries,
            _ => Vec::new(),
        });
        match self.version {
            Version::V12 => Value::Map(entries.collect()),
            Version::V11 => {
                let pair = |(name, place, node): (String, Place, Node)| {
                    let text = Scalar::Text {
                        text: name.as_str().into(),
                        first_line: place.line,
                    };
                    let key = Node {
                        value: Value::Scalar(node.key.as_deref().cloned().unwrap_or(text)),
                        place: place.clone(),
                        key: None,
                    };
                    Node {
                        value: Value::List(vec![key, node]),
                        place,
                        key: None,
                    }
                };
                Value::List(entries.map(pair).collect())
            }
        }
    }

    fn map<'t>(
        &mut self,
        parser: &mut Events<'t>,
        depth: usize,
    ) -> Result<Vec<(String, Place, Node)>, Problem> {
        let mut entries: Vec<(String, Place, Node)> = Vec::new();
        // What `<<` brings in stands behind the map's own entries, and gives way to them.
        let mut merged: Vec<(String, Place, Node)> = Vec::new();
        loop {
            let (event, span) = self.next(parser)?;
            if matches!(event, Event::MappingEnd) {
                merged.retain(|(k, ..)| !entries.iter().any(|(own, ..)| own == k));
                entries.extend(merged);
                return Ok(entries);
            }
            let Event::Scalar(key, style, _, tag) = event else {
                return Err(problem(&span, "a key must be plain text"));
            };
            let kind = match (&tag, style) {
                // Nearly all keys are plain words.
                (None, ScalarStyle::Plain) => scalars::plain(&key, self.version),
                (None, _) => None,
                (Some(tag), style) => {
                    let line = span.start.line();
                    let kind = resolve(&key, style, Some(tag), line, self.version);
                    Some(kind.map_err(|message| problem(&span, message))?)
                }
            };
            let kind = kind
                .filter(|kind| !matches!(kind, Scalar::Text { .. }))
                .map(Box::new);
            let key_place = self.place(&span);
            if self.version == Version::V11
                && let Some(at) = entries.iter().position(|(k, ..)| *k == *key)
            {
                let (key, first, _) = entries.remove(at);
                self.twice.push((key, first.line, key_place.clone()));
            }
            if let Some((_, first, _)) = entries.iter().find(|(k, ..)| *k == *key) {
                return Err(Problem {
                    code: Code::DuplicateKey,
                    message: format!("key `{key}` is given twice (first on line {})", first.line),
                    ..problem(&span, "")
                });
            }
            if self.has_tabs && self.tab_before(&span) {
                return Err(problem(&span, "a tab can't indent: use blanks"));
            }
            let (event, span) = self.next(parser)?;
            let node = self.node(parser, event, span, depth + 1)?;
            // `<<: *anchor` takes over the anchor's entries, as YAML 1.1 readers do.
            let maps: Option<Vec<&Entries>> = match (key.as_ref(), &node.value) {
                ("<<", Value::Map(taken)) => Some(vec![taken]),
                // Of several maps the first that has a key counts.
                ("<<", Value::List(items)) => items
                    .iter()
                    .map(|item| match &item.value {
                        Value::Map(taken) => Some(taken),
                        _ => None,
                    })
                    .collect(),
                _ => None,
            };
            let plain = style == ScalarStyle::Plain && key == "<<";
            match maps {
                None if plain => return Err(problem(&span, "`<<` takes a map, or a list of maps")),
                Some(maps) => {
                    for entry in maps.into_iter().flatten() {
                        if !merged.iter().any(|(k, ..)| *k == entry.0) {
                            merged.push(entry.clone());
                        }
                    }
                }
                None => {
                    let node = if node.is_null() {
                        at(node, &key_place)
                    } else {
                        node
                    };
                    let node = Node { key: kind, ..node };
                    entries.push((key.into_owned(), key_place, node));
                }
            }
        }
    }

    /// Whether a tab stands before a value on its line.
    fn tab_before(&self, span: &Span) -> bool {
        let place = self.place(span);
        let line = self.text.get(..place.start).unwrap_or_default();
        let line = line.rsplit('\n').next().unwrap_or_default();
        line.contains('\t') && line.chars().all(char::is_whitespace)
    }

    fn place(&self, span: &Span) -> Place {
        let chars = span.end.index().saturating_sub(span.start.index());
        self.place_at(span.start.index(), span.start.line(), span.start.col(), chars)
    }

    fn place_at(&self, index: usize, line: usize, column: usize, chars: usize) -> Place {
        // Back to the text as the file has it: the last blanks first.
        let (mut index, mut column) = (index, column);
        for at in self.moved.iter().rev() {
            if index >= at + BLANKS {
                index -= BLANKS;
            }
        }
        if column >= BLANKS {
            column -= BLANKS;
        }
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
