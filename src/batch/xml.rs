//! XML as JSON, the way many programs write it: an element is an object of its children, its attributes are keys with
//! `@` before them, its text beside those is `#text`; an element with text alone is that text, an empty one is null;
//! elements of the same name become a list. Prefixes of names stay.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use sequor_planner::expr::PathStep;
use serde_json::{Map, Value as Json};

use crate::error::{Error, ErrorKind, Result};

/// How deep elements may be nested.
const MAX_DEPTH: usize = 200;

/// An element being read.
struct Open {
    name: String,
    children: Map<String, Json>,
    text: String,
}

/// Returns the document as JSON: an object with its root element. Entities of its own are not resolved: there is no
/// way to make it large or to have it read files.
pub fn to_json(text: &[u8]) -> Result<Json> {
    let bad = |what: String| Error::new(ErrorKind::Data, format!("the response is not good XML: {what}"));
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = Reader::from_reader(text);
    let mut open = vec![Open {
        name: String::new(),
        children: Map::new(),
        text: String::new(),
    }];
    loop {
        let position = reader.buffer_position();
        let at = |what: String| bad(format!("{what} (at byte {position})"));
        match reader.read_event().map_err(|e| at(e.to_string()))? {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err(at(format!("elements are nested more than {MAX_DEPTH} deep")));
                }
                open.push(begin(&start).map_err(at)?);
            }
            Event::Empty(start) => {
                let element = begin(&start).map_err(at)?;
                end(&mut open, element);
            }
            Event::End(_) => {
                // The reader has found that it ends what is open.
                if let Some(element) = open.pop() {
                    end(&mut open, element);
                }
            }
            Event::Text(part) => {
                let part = part.decode().map_err(|e| at(e.to_string()))?;
                push(&mut open, &part);
            }
            Event::CData(part) => {
                let part = part.decode().map_err(|e| at(e.to_string()))?;
                push(&mut open, &part);
            }
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|e| at(e.to_string()))?;
                let name = reference.decode().map_err(|e| at(e.to_string()))?;
                match (character, quick_xml::escape::resolve_predefined_entity(&name)) {
                    (Some(character), _) => push(&mut open, character.encode_utf8(&mut [0; 4])),
                    (None, Some(text)) => push(&mut open, text),
                    (None, None) => return Err(at(format!("the entity &{name}; is not known"))),
                }
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
    match (open.len(), open.pop()) {
        (1, Some(root)) if !root.children.is_empty() => Ok(Json::Object(root.children)),
        (1, _) => Err(bad("it has no element".into())),
        (_, Some(element)) => Err(bad(format!("it ends inside of <{}>", element.name))),
        (_, None) => Err(bad("it is empty".into())),
    }
}

fn begin(start: &BytesStart<'_>) -> std::result::Result<Open, String> {
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut children = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let value = String::from_utf8_lossy(&attribute.value).into_owned();
        let value = quick_xml::escape::unescape(&value).map_err(|e| e.to_string())?;
        children.insert(
            format!("@{}", name(attribute.key.as_ref())),
            value.into_owned().into(),
        );
    }
    Ok(Open {
        name: name(start.name().as_ref()),
        children,
        text: String::new(),
    })
}

fn push(open: &mut [Open], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// Puts an element that has ended into the one around it.
fn end(open: &mut [Open], element: Open) {
    let Some(around) = open.last_mut() else { return };
    let text = element.text.trim();
    let value = match (element.children.is_empty(), text.is_empty()) {
        (true, true) => Json::Null,
        (true, false) => text.into(),
        (false, empty) => {
            let mut children = element.children;
            if !empty {
                children.insert("#text".into(), text.into());
            }
            Json::Object(children)
        }
    };
    match around.children.get_mut(&element.name) {
        None => {
            around.children.insert(element.name, value);
        }
        Some(Json::Array(items)) => items.push(value),
        Some(first) => {
            let first_value = first.take();
            *first = Json::Array(vec![first_value, value]);
        }
    }
}

/// Returns the elements at a path, as a list: one alone and none at all are lists, too.
pub fn rows_at(mut json: Json, path: &[PathStep]) -> Result<Json> {
    for (at, step) in path.iter().enumerate() {
        let last = at + 1 == path.len();
        let next = match (&mut json, step) {
            (Json::Object(children), PathStep::Key(key)) => match children.get_mut(key) {
                Some(value) => Some(value.take()),
                None if last => return Ok(Json::Array(Vec::new())),
                None => None,
            },
            (Json::Array(items), PathStep::Index(index)) => items.get_mut(*index).map(Json::take),
            // An element without children has no rows.
            (Json::Null, PathStep::Key(_)) if last => return Ok(Json::Array(Vec::new())),
            _ => None,
        };
        json = next.ok_or_else(|| {
            let step = match step {
                PathStep::Key(key) => format!("<{key}>"),
                PathStep::Index(index) => format!("[{index}]"),
            };
            let message = format!("the XML of the response has no {step} where `data_path` looks for it");
            Error::new(ErrorKind::Data, message)
                .help("a path begins with the outermost element: `orders.order`")
        })?;
    }
    Ok(match json {
        Json::Array(items) => Json::Array(items),
        Json::Null => Json::Array(Vec::new()),
        one => Json::Array(vec![one]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(xml: &str) -> String {
        match to_json(xml.as_bytes()) {
            Ok(json) => json.to_string(),
            Err(e) => format!("error: {}", e.message()),
        }
    }

    #[test]
    fn elements_attributes_and_texts() {
        assert_eq!(
            json(
                "<?xml version='1.0'?><!-- c --><o n='1 &amp; 2'><i id='7'>a&#252; &lt;b</i><i/><e> </e><t>x<![CDATA[<y>]]></t></o>"
            ),
            r##"{"o":{"@n":"1 & 2","i":[{"@id":"7","#text":"aü <b"},null],"e":null,"t":"x<y>"}}"##
        );
    }

    #[test]
    fn bad_documents() {
        assert!(
            json("<a><b></a>").contains("not good XML"),
            "{}",
            json("<a><b></a>")
        );
        assert!(
            json("<a><b>").contains("ends inside of <b>"),
            "{}",
            json("<a><b>")
        );
        assert!(json("").contains("no element"));
        assert!(json("{\"a\": 1}").contains("no element"));
        // What is known as a billion laughs, and reading files, ends here.
        let own = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>";
        assert!(json(own).contains("&x; is not known"), "{}", json(own));
        let deep = "<a>".repeat(300) + &"</a>".repeat(300);
        assert!(json(&deep).contains("nested more than"));
    }
}
