//! What a scalar means, its tag and its style looked at.

use saphyr_parser::{ScalarStyle, Tag};

use super::scalars::{self, Version};
use super::tree::{Scalar, UNKNOWN_LINES};

/// `!` alone: the value is what it is.
pub fn is_bare(tag: &Tag) -> bool {
    matches!(tag.suffix.as_str(), "" | "!")
}

/// Returns the meaning of a scalar.
pub fn resolve(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    first_line: usize,
    version: Version,
) -> Result<Scalar, String> {
    let as_text = || Scalar::Text {
        text: text.into(),
        first_line,
    };
    if let Some(tag) = tag.filter(|t| t.handle == "tag:yaml.org,2002:" || t.handle == "!!") {
        return match tag.suffix.as_str() {
            "str" => Ok(as_text()),
            // What ruamel.yaml does not know it keeps as text.
            kind if !scalars::is_kind(kind) && version == Version::V12 => Ok(as_text()),
            kind => scalars::tagged(kind, text, version)
                .ok_or_else(|| format!("`{text}` is no value of the type `!!{kind}`")),
        };
    }
    match tag {
        Some(tag) if is_bare(tag) && text.is_empty() => return Ok(Scalar::Null),
        Some(tag) if version == Version::V11 && !is_bare(tag) => {
            return Err(format!(
                "`!{}` is no tag that an environment may have",
                tag.suffix
            ));
        }
        _ => {}
    }
    match style {
        ScalarStyle::Plain if tag.is_none() => Ok(scalars::plain(text, version).unwrap_or_else(as_text)),
        _ => Ok(as_text()),
    }
}

/// The line of the file on which a scalar's first line stands. `line`: where its span begins.
pub fn first_line(text: &str, style: ScalarStyle, line: usize, anchored: bool) -> usize {
    match style {
        // Its lines are not the file's.
        ScalarStyle::Folded | ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted
            if text.trim_end().contains('\n') =>
        {
            UNKNOWN_LINES
        }
        // The parser's span leaves out the empty lines that a block begins with; the text has them. With an anchor it
        // begins on the line above.
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let empty = text.len() - text.trim_start_matches('\n').len();
            (line + usize::from(anchored)).saturating_sub(empty)
        }
        _ => line,
    }
}
