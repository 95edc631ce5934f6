//! Cutting a text into its statements.

use std::borrow::Cow;

use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::dialect::Dialect;

/// SQL text as the database gets it: `\\:` is a colon, which SQLAlchemy would take for the start of a parameter.
pub fn plain_colons(sql: &str) -> Cow<'_, str> {
    match sql.contains("\\:") {
        true => Cow::Owned(sql.replace("\\:", ":")),
        false => Cow::Borrowed(sql),
    }
}

/// Returns the pieces of a text that lines `go` end, each with its statements.
pub fn split_pieces(text: &str, dialect: Dialect) -> Vec<Vec<String>> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut end = |piece: &mut String| {
        let statements = split_statements(piece, dialect);
        if !statements.is_empty() {
            pieces.push(statements);
        }
        piece.clear();
    };
    for line in text.split_inclusive('\n') {
        match line.trim().eq_ignore_ascii_case("go") {
            true => end(&mut piece),
            false => piece.push_str(line),
        }
    }
    end(&mut piece);
    pieces
}

/// Tells whether a piece is run as one transaction of ours: its statements neither begin and end transactions
/// themselves nor must stand outside of one.
pub fn is_transaction(statements: &[String], dialect: Dialect) -> bool {
    if !matches!(dialect, Dialect::Postgres | Dialect::DuckDb | Dialect::Sqlite) {
        // Where DDL commits by itself, statements go one by one.
        return false;
    }
    let words = |statement: &String| -> Vec<String> {
        let tokens = Tokenizer::new(&*dialect.parser(), statement).tokenize();
        let words = tokens
            .unwrap_or_default()
            .into_iter()
            .filter_map(|token| match token {
                Token::Word(word) => Some(word.value.to_ascii_lowercase()),
                _ => None,
            });
        words.take(6).collect()
    };
    let own = statements.iter().map(words).any(|words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        matches!(
            words.as_slice(),
            ["begin" | "commit" | "rollback" | "end" | "abort", ..] | ["start", "transaction", ..]
        )
    });
    let alone = statements.len() == 1
        && statements.iter().map(words).any(|words| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            matches!(
                words.as_slice(),
                [
                    "vacuum" | "attach" | "detach" | "pragma" | "checkpoint" | "call",
                    ..
                ] | [
                    "create" | "drop" | "alter",
                    "database" | "tablespace" | "system",
                    ..
                ] | ["force", "checkpoint", ..]
            ) || words.contains(&"concurrently")
        });
    !own && !alone
}

/// Returns the statements of a text: ended by `;` outside of strings, comments and dollar quotes, or by a line `go`.
pub fn split_statements(text: &str, dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    let mut start = 0;
    let mut cut = |end: usize, next: usize| {
        let statement = text[start..end].trim();
        if !statement.is_empty() {
            statements.push(statement.to_string());
        }
        start = next;
    };
    for (from, to) in separators(text, dialect) {
        cut(from, to);
    }
    cut(text.len(), text.len());
    // What is left of comments alone is no statement.
    statements.retain(|s| !only_comments(s, dialect));
    statements
}

/// Byte ranges of what ends statements.
fn separators(text: &str, dialect: Dialect) -> Vec<(usize, usize)> {
    let lines: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(i, _)| i + 1))
        .collect();
    let offset = |location: Location| -> usize {
        let line = lines
            .get((location.line as usize).saturating_sub(1))
            .copied()
            .unwrap_or(text.len());
        let column = (location.column as usize).saturating_sub(1);
        text[line..]
            .char_indices()
            .nth(column)
            .map_or(text.len(), |(i, _)| line + i)
    };
    let dialect = dialect.parser();
    let Ok(tokens) = Tokenizer::new(&*dialect, text).tokenize_with_location() else {
        // Text that can't be read is passed on whole: the database says what is wrong with it.
        return Vec::new();
    };
    let mut body = Body::default();
    let mut found = Vec::new();
    // A list of statements in parentheses, as a rule has one, belongs to its statement.
    let mut depth = 0usize;
    for (number, token) in tokens.iter().enumerate() {
        let (from, to) = (offset(token.span.start), offset(token.span.end));
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::SemiColon if !body.open() && depth == 0 => {
                found.push((from, to));
                body = Body::default();
            }
            Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("go") => {
                let before = text[..from].rsplit('\n').next().unwrap_or_default();
                let after = text[to..].split('\n').next().unwrap_or_default();
                if before.trim().is_empty() && after.trim().is_empty() {
                    found.push((from, to));
                    body = Body::default();
                }
            }
            Token::Word(word) if word.quote_style.is_none() => {
                body.read(word.value.to_ascii_lowercase(), &next_word(&tokens[number + 1..]));
            }
            _ => {}
        }
    }
    found
}

fn next_word(tokens: &[TokenWithSpan]) -> String {
    let mut tokens = tokens.iter().map(|t| &t.token);
    match tokens.find(|t| !matches!(t, Token::Whitespace(_))) {
        Some(Token::Word(word)) => word.value.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// Where in a statement one is: what `CREATE TRIGGER ... BEGIN ...; END` has between BEGIN and END belongs to it.
#[derive(Default)]
struct Body {
    /// The statement's first word.
    first: Option<String>,
    /// It makes something that has statements.
    holds_statements: bool,
    /// How many BEGIN and CASE wait for their END.
    depth: usize,
    /// The word before was END.
    ended: bool,
}

impl Body {
    fn open(&self) -> bool {
        self.holds_statements && self.depth > 0
    }

    fn read(&mut self, word: String, next: &str) {
        let ended = std::mem::take(&mut self.ended);
        match word.as_str() {
            "trigger" | "procedure" | "function" | "event" if self.depth == 0 => {
                self.holds_statements |= self.first.as_deref() == Some("create");
            }
            "begin" => self.depth += 1,
            "case" if !ended => self.depth += 1,
            "end" => {
                if !matches!(next, "if" | "loop" | "while" | "repeat" | "for") {
                    self.depth = self.depth.saturating_sub(1);
                }
                self.ended = true;
            }
            _ => {}
        }
        self.first.get_or_insert(word);
    }
}

fn only_comments(text: &str, dialect: Dialect) -> bool {
    let dialect = dialect.parser();
    Tokenizer::new(&*dialect, text).tokenize().is_ok_and(|tokens| {
        tokens
            .iter()
            .all(|t| matches!(t, Token::Whitespace(_) | Token::EOF))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        split_statements(text, Dialect::Sqlite)
    }

    #[test]
    fn semicolons_and_go_end_statements() {
        assert_eq!(
            cut("select 1; select ';' -- ;\n; /* ; */"),
            ["select 1", "select ';' -- ;"]
        );
        assert_eq!(
            cut("select 1\nGO\nselect go from t"),
            ["select 1", "select go from t"]
        );
        assert_eq!(
            cut("begin; select 1; commit; end"),
            ["begin", "select 1", "commit", "end"]
        );
        assert_eq!(cut("select case when a then 1 end; select 2").len(), 2);
    }

    #[test]
    fn the_statements_of_a_body_stay_in_it() {
        let trigger = "create temp trigger t after insert on a begin update b set n = case when n then 1 else 2 end; \
            delete from c; end";
        assert_eq!(cut(&format!("{trigger}; select 1")), [trigger, "select 1"]);
        let procedure = "create procedure p() begin if a then begin select 1; end; end if; \
            case a when 1 then select 1; end case; while a do select 2; end while; end";
        assert_eq!(
            split_statements(&format!("{procedure};\nselect 1"), Dialect::MySql),
            [procedure, "select 1"]
        );
        assert_eq!(cut("create table \"trigger\" (begin int); select 1").len(), 2);
        assert_eq!(cut("create trigger t execute function f(); select 1").len(), 2);
        assert_eq!(cut("drop trigger t; begin; select 1").len(), 3);
    }
}
