//! Names of tables as flows write them: SQL's names, `schema.table` and `"Quoted Name"`.

/// A part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePart {
    pub text: String,
    /// It stood in quotes: it is meant to the letter.
    pub quoted: bool,
}

/// Returns the parts of a name, one to three; none where the text is no name of SQL's. A single part may be any text
/// without blanks and quotes: it is meant to the letter.
pub fn name_parts(text: &str) -> Option<Vec<NamePart>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(inner) => {
                let mut text = String::new();
                let mut chars = inner.char_indices();
                let end = loop {
                    match chars.next()? {
                        (at, '"') if inner[at + 1..].starts_with('"') => {
                            chars.next();
                            text.push('"');
                        }
                        (at, '"') => break at + 1,
                        (_, c) => text.push(c),
                    }
                };
                (NamePart { text, quoted: true }, &inner[end..])
            }
            None => {
                let end = rest.find(['.', '"']).unwrap_or(rest.len());
                let part = NamePart {
                    text: rest[..end].to_string(),
                    quoted: false,
                };
                (part, &rest[end..])
            }
        };
        parts.push(part);
        match behind.strip_prefix('.') {
            Some(behind) => rest = behind,
            None if behind.is_empty() => break,
            None => return None,
        }
    }
    let plain = |part: &NamePart| {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        let starts = part.text.starts_with(|c: char| c.is_alphabetic() || c == '_');
        part.quoted || (starts && part.text.chars().all(word))
    };
    match parts.as_slice() {
        [one] if one.quoted => Some(parts),
        [one] => {
            let odd = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'' | ',' | ';');
            (!one.text.is_empty() && !one.text.contains(odd)).then_some(parts)
        }
        [_, _] | [_, _, _] if parts.iter().all(plain) => Some(parts),
        // A point in a name that is no schema's.
        _ if !text
            .trim()
            .contains(|c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')' | '\'')) =>
        {
            Some(vec![NamePart {
                text: text.trim().to_string(),
                quoted: false,
            }])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<Vec<String>> {
        let shown = |p: NamePart| if p.quoted { format!("[{}]", p.text) } else { p.text };
        name_parts(text).map(|parts| parts.into_iter().map(shown).collect())
    }

    #[test]
    fn names_are_those_of_sql() {
        let some = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(parts("t"), some(&["t"]));
        assert_eq!(parts("s.t"), some(&["s", "t"]));
        assert_eq!(parts("d.s.t"), some(&["d", "s", "t"]));
        assert_eq!(parts("\"My Table\""), some(&["[My Table]"]));
        assert_eq!(parts("s.\"a\"\"b\""), some(&["s", "[a\"b]"]));
        assert_eq!(parts("my-table"), some(&["my-table"]));
        assert_eq!(parts("report.2024"), some(&["report.2024"]));
        for sql in [
            "t order by id",
            "(select 1) as x",
            "generate_series(1, 3) as id",
            "read_csv('x.csv')",
            "",
        ] {
            assert_eq!(parts(sql), None, "{sql}");
        }
    }
}
