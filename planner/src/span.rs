//! Places in the project's files.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in a file of the project: 1-based line and column (in characters).
///
/// Values carry their place; equality of values ignores it, so `Place` compares equal to every other place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// Path relative to the project, with `/`.
    #[serde(serialize_with = "shared_text", deserialize_with = "text_to_share")]
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
    /// Byte range in the file, for showing the source line; one that no file has, where only the line is known.
    #[serde(skip, default = "unknown")]
    pub start: usize,
    #[serde(skip, default = "unknown")]
    pub end: usize,
}

/// A place that is not known.
impl Default for Place {
    fn default() -> Self {
        Place {
            file: Arc::from(""),
            line: 0,
            column: 0,
            start: unknown(),
            end: unknown(),
        }
    }
}

fn unknown() -> usize {
    usize::MAX
}

/// Reads shared text from the text it is.
pub(crate) fn text_to_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(deserializer).map(Arc::from)
}

/// Serializes shared text as the text it is.
pub(crate) fn shared_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl Eq for Place {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
