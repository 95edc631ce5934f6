//! Places in the project's files.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A place in a file of the project: 1-based line and column (in characters).
///
/// Values carry their place; equality of values ignores it, so `Place` compares equal to every other place.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Path relative to the project, with `/`.
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
    /// Byte range in the file, for showing the source line.
    #[serde(skip)]
    pub start: usize,
    #[serde(skip)]
    pub end: usize,
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
