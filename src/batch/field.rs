//! How the value of a column is found in a row.

use sequor_planner::expr::PathStep;
use sequor_planner::ops::{DataPath, TimeFormat};
use serde_json_path::JsonPath;

use super::json::reader;
use super::jsonpath;
use super::time_format::TimeReader;
use crate::error::{Error, ErrorKind, Result};

/// How the value of a column is found in a row, and how it is written there.
#[derive(Debug, Clone)]
pub struct Field {
    /// The column, as messages call it.
    pub name: String,
    pub from: FieldValue,
    pub format: Option<TimeReader>,
    /// Whether a time of another zone than UTC is an error where the column has no zone, since the moment counts.
    pub is_moment: bool,
}

/// Where a column's value stands.
#[derive(Debug, Clone)]
pub enum FieldValue {
    /// Under a key of the row.
    Key(String),
    /// Deeper in the row, or under a key that another column is read from, too.
    Path(Nested),
    /// Not in the row: one value for all rows of a response.
    Given,
}

impl From<String> for Field {
    /// The field of that name.
    fn from(name: String) -> Self {
        Field {
            from: FieldValue::Key(name.clone()),
            name,
            format: None,
            is_moment: false,
        }
    }
}

impl Field {
    /// Returns the field at a path of the row.
    ///
    /// # Errors
    /// A path that does not begin with a key.
    pub fn at(name: &str, path: &DataPath) -> Result<Field> {
        let (key, rest) = path.head().ok_or_else(|| {
            let message =
                format!("the path `{path}` of column `{name}` does not begin with a key of the row");
            Error::new(ErrorKind::Project, message)
        })?;
        let from = match rest {
            DataPath::Steps(steps) if steps.is_empty() => FieldValue::Key(key),
            rest => FieldValue::Path(Nested::new(key, &rest)?),
        };
        Ok(Field {
            from,
            ..Field::from(name.to_string())
        })
    }

    /// Returns a field that is not in the rows.
    pub fn given(name: String) -> Field {
        Field {
            name,
            from: FieldValue::Given,
            format: None,
            is_moment: false,
        }
    }

    /// Returns the field with the format that it is written in.
    #[must_use]
    pub fn written(self, format: Option<&TimeFormat>) -> Field {
        Field {
            format: format.map(TimeReader::new),
            ..self
        }
    }

    /// Returns the field as one whose moments count.
    #[must_use]
    pub fn as_moment(self) -> Field {
        Field {
            is_moment: true,
            ..self
        }
    }

    /// Tells whether the value is not in the rows.
    pub fn is_given(&self) -> bool {
        matches!(self.from, FieldValue::Given)
    }

    /// Returns the field of a column of another name.
    #[must_use]
    pub fn named(self, name: &str) -> Field {
        Field {
            name: name.to_string(),
            ..self
        }
    }

    /// Tells whether the value is all of what stands under a key.
    pub fn is_key(&self, key: &str) -> bool {
        matches!(&self.from, FieldValue::Key(known) if known == key)
    }

    /// Returns the field as it stands in rows that wait aside: what is given is among them.
    #[must_use]
    pub fn in_spool(self) -> Field {
        match self.from {
            FieldValue::Given => Field {
                from: FieldValue::Key(self.name.clone()),
                ..self
            },
            _ => self,
        }
    }

    /// Returns the key of the row that the value is read from; none when it is given.
    pub fn key(&self) -> Option<&str> {
        match &self.from {
            FieldValue::Key(key) => Some(key),
            FieldValue::Path(nested) => Some(&nested.key),
            FieldValue::Given => None,
        }
    }
}

/// A place below a key of a row.
#[derive(Debug, Clone)]
pub struct Nested {
    key: String,
    below: Below,
}

#[derive(Debug, Clone)]
enum Below {
    Steps(Vec<PathStep>),
    JsonPath {
        path: JsonPath,
        /// Whether it can find several values: then they are a list.
        many: bool,
    },
}

impl Nested {
    fn new(key: String, rest: &DataPath) -> Result<Nested> {
        let below = match rest {
            DataPath::Steps(steps) => Below::Steps(steps.clone()),
            DataPath::JsonPath(text) => Below::JsonPath {
                path: JsonPath::parse(text)
                    .map_err(|e| Error::new(ErrorKind::Project, format!("`{text}` is not a path: {e}")))?,
                many: text.contains("..") || text.contains(['*', '?', ':', ',']),
            },
        };
        Ok(Nested { key, below })
    }

    /// Returns the whole of what stands under a key.
    pub fn whole(key: String) -> Nested {
        Nested {
            key,
            below: Below::Steps(Vec::new()),
        }
    }

    /// Returns the key of the row.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Calls `found` with the JSON of the value in what stands under the key; not where there is none.
    pub fn find(&self, text: &[u8], found: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
        match &self.below {
            Below::Steps(steps) => within(text, steps).map_or(Ok(()), found),
            Below::JsonPath { path, many } => {
                let values = jsonpath::values(text, path)?;
                match (many, values.as_slice()) {
                    (false, []) => Ok(()),
                    (false, [first, ..]) => found(first),
                    (true, values) => {
                        let mut list = vec![b'['];
                        for (at, value) in values.iter().enumerate() {
                            if at > 0 {
                                list.push(b',');
                            }
                            list.extend_from_slice(value);
                        }
                        list.push(b']');
                        found(&list)
                    }
                }
            }
        }
    }
}

/// The JSON at some steps of a JSON text: of equal keys the last counts, and null has nothing but null inside.
fn within<'t>(mut text: &'t [u8], steps: &[PathStep]) -> Option<&'t [u8]> {
    for step in steps {
        let mut json = reader(text);
        let mut here = None;
        match (json.peek().ok()?, step) {
            (jiter::Peek::Null, _) => return Some(b"null"),
            (jiter::Peek::Object, PathStep::Key(wanted)) => {
                let mut key = json.known_object().ok()?.map(|key| key == wanted);
                while let Some(same) = key {
                    let peek = json.peek().ok()?;
                    let start = json.current_index();
                    json.known_skip(peek).ok()?;
                    if same {
                        here = text.get(start..json.current_index());
                    }
                    key = json.next_key().ok()?.map(|key| key == wanted);
                }
            }
            (jiter::Peek::Array, PathStep::Index(wanted)) => {
                let mut item = json.known_array().ok()?;
                let mut at = 0;
                while let Some(peek) = item {
                    let start = json.current_index();
                    json.known_skip(peek).ok()?;
                    if at == *wanted {
                        here = text.get(start..json.current_index());
                        break;
                    }
                    at += 1;
                    item = json.array_step().ok()?;
                }
            }
            _ => return None,
        }
        text = here?;
    }
    Some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_below_a_key() {
        let row = br#"{"login": "a", "login": "b", "tags": [{"n": 1}, {"n": 2.50}], "none": null}"#;
        let found = |path: &DataPath| {
            let mut read = None;
            let nested = Nested::new("user".into(), path).unwrap();
            let kept = nested.find(row, |value| {
                read = Some(String::from_utf8(value.to_vec()).unwrap());
                Ok(())
            });
            kept.unwrap();
            read
        };
        let steps = |text: &str| DataPath::Steps(DataPath::steps(text).unwrap());
        assert_eq!(found(&steps("login")).as_deref(), Some("\"b\""));
        assert_eq!(found(&steps("tags[1].n")).as_deref(), Some("2.50"));
        assert_eq!(found(&steps("tags[2].n")), None);
        assert_eq!(found(&steps("none.deeper")).as_deref(), Some("null"));
        assert_eq!(found(&steps("login.deeper")), None);
        let path = |text: &str| DataPath::JsonPath(text.into());
        assert_eq!(found(&path("$.tags[*].n")).as_deref(), Some("[1,2.50]"));
        assert_eq!(found(&path("$.tags[-1].n")).as_deref(), Some("2.50"));
        assert_eq!(found(&path("$.tags[?@.n > 9]")).as_deref(), Some("[]"));
    }
}
