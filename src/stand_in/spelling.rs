//! A changed statement in the spelling of the staging database: names in its quotes, texts in those of SQL.

use std::ops::ControlFlow;

use sequor_planner::Dialect;
use sqlparser::ast::{Statement, Value, ValueWithSpan, VisitMut, VisitorMut};
use sqlparser::dialect::{Dialect as Spoken, GenericDialect};
use sqlparser::tokenizer::{Token, Tokenizer};

use super::names::folded;

/// Returns a statement's text. Its own texts are taken out of it.
pub fn staged(statement: &mut Statement, dialect: Dialect) -> String {
    let mut texts = Texts::default();
    let _ = statement.visit(&mut texts);
    respelled(&statement.to_string(), dialect, &texts.0)
}

/// Texts, taken out of a statement: each dialect has other letters with a meaning in them.
#[derive(Default)]
struct Texts(Vec<String>);

impl VisitorMut for Texts {
    type Break = ();

    fn post_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        let text = match &mut value.value {
            Value::SingleQuotedString(text)
            | Value::DoubleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::UnicodeStringLiteral(text)
            | Value::NationalStringLiteral(text) => std::mem::take(text),
            Value::DollarQuotedString(text) => std::mem::take(&mut text.value),
            _ => return ControlFlow::Continue(()),
        };
        // Some are visited twice.
        if text.starts_with(PLACE) {
            value.value = Value::SingleQuotedString(text);
            return ControlFlow::Continue(());
        }
        value.value = Value::SingleQuotedString(format!("{PLACE}{}", self.0.len()));
        self.0.push(text);
        ControlFlow::Continue(())
    }
}

/// What stands for a text, with its number behind it: a letter of private use, which no statement has.
const PLACE: &str = "\u{f8ff}text ";

fn respelled(sql: &str, dialect: Dialect, texts: &[String]) -> String {
    // `#` begins a comment in MySQL and Snowflake, but is an operator of the staging database.
    let parser: Box<dyn Spoken> = match dialect {
        Dialect::MySql | Dialect::Snowflake => Box::new(GenericDialect {}),
        _ => dialect.parser(),
    };
    let Ok(tokens) = Tokenizer::new(&*parser, sql).tokenize() else {
        return sql.to_string();
    };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = |text: &str| {
        let number = text
            .strip_prefix(PLACE)
            .and_then(|number| number.parse::<usize>().ok());
        let text = number
            .and_then(|number| texts.get(number))
            .map_or(text, String::as_str);
        format!("'{}'", text.replace('\'', "''"))
    };
    tokens
        .iter()
        .map(|token| match token {
            Token::Word(word) if word.quote_style.is_some() => quoted(&folded(dialect, &word.value)),
            Token::DoubleQuotedString(written) | Token::SingleQuotedString(written) => text(written),
            other => other.to_string(),
        })
        .collect()
}
