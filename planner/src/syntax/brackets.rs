//! Lines within the brackets of a flow mapping or list: they may be indented less than their key, or not at all, as readers in
//! Python take it, and are moved to where the parser wants them.

/// How many blanks are put before a line.
pub const BLANKS: usize = 200;

/// Whether a text ends within the brackets of a flow mapping or list.
fn in_brackets(text: &str) -> bool {
    let mut depth = 0usize;
    let mut quote: Option<char> = None;
    // What stands before: a value begins behind `: `, `- ` and brackets.
    let mut last = '\n';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '#') if last == '\n' || last == ' ' => while chars.next_if(|c| *c != '\n').is_some() {},
            (None, '"' | '\'') if depth > 0 => quote = Some(c),
            (None, '{' | '[') if depth > 0 || matches!(last, ' ' | '\n') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        last = c;
    }
    depth > 0
}

/// Returns the text with a line (from 1) within brackets moved to the right, and where that line starts, in
/// characters.
pub fn moved_line(text: &str, line: usize) -> Option<(usize, String)> {
    let line = line.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let (before, rest) = text.split_at(start);
    if !in_brackets(before) {
        return None;
    }
    if rest.starts_with(&" ".repeat(BLANKS)) {
        return None;
    }
    let moved = format!("{before}{}{rest}", " ".repeat(BLANKS));
    Some((before.chars().count(), moved))
}
