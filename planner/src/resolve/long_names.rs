//! Names of tables and columns that their database would cut.

use sqlparser::tokenizer::{Token, Tokenizer};

use super::steps::Resolver;
use crate::codes::Code;
use crate::expr::Prop;
use crate::names::name_parts;
use crate::ops::{Columns, FlowAction, FlowStep, Plain, RowsOf, TableRef, Transform};
use crate::span::Place;

impl Resolver<'_> {
    /// Reports the names in a step that are too long for the database they are for.
    pub(super) fn check_long_names(&mut self, step: &FlowStep) {
        let mut tables: Vec<(&TableRef, Option<&Columns>)> = Vec::new();
        match &step.action {
            FlowAction::HttpRequest(request) => {
                tables.extend(
                    request
                        .for_each
                        .iter()
                        .flat_map(RowsOf::table)
                        .map(|table| (table, None)),
                );
                let filled = request.response.tables.iter();
                tables.extend(filled.map(|table| (&table.target, Some(&table.columns))));
            }
            FlowAction::Plain(plain) => {
                if let Plain::Transform(transform) = &**plain {
                    self.check_query(transform);
                }
                let filled = plain.operation().fills();
                tables.extend(filled.map(|(table, _)| (table, None)));
            }
            FlowAction::ForEach(each) => tables.extend(each.rows.table().map(|table| (table, None))),
            _ => return,
        }
        for (table, columns) in tables {
            for part in [&table.database, &table.namespace].into_iter().flatten() {
                let name = part.as_text().unwrap_or_default();
                self.check_length(&table.source, "schema", name, &table.place);
            }
            let name = table.table.as_text().unwrap_or_default();
            for part in name_parts(name).into_iter().flatten() {
                self.check_length(&table.source, "table", &part.text, &table.place);
            }
            if let Some(Columns::Declared(columns)) = columns {
                for column in columns {
                    self.check_length(&table.source, "column", &column.name, &column.place);
                }
            }
        }
    }

    /// Names in a query that are cut where it runs: a column of the result would have another name than it says.
    fn check_query(&mut self, transform: &Transform) {
        let source = &transform.target.source;
        let Some(dialect) = self.names.sources.get(source).and_then(|source| source.dialect()) else {
            return;
        };
        let text = match &transform.query {
            Prop::Literal(text) => text.as_str().unwrap_or_default(),
            Prop::Jinja { code, .. } => &*code.text,
            _ => return,
        };
        let Ok(tokens) = Tokenizer::new(&*dialect.parser(), text).tokenize() else {
            return;
        };
        for token in tokens {
            if let Token::Word(word) = token {
                self.check_length(source, "column or table", &word.value, &transform.query_place);
            }
        }
    }

    fn check_length(&mut self, source: &str, what: &str, name: &str, place: &Place) {
        let dialect = self.names.sources.get(source).and_then(|source| source.dialect());
        let limit = dialect.and_then(|dialect| dialect.name_limit());
        if let Some(why) = limit.and_then(|limit| limit.exceeded(name)) {
            let message = format!("the name of {what} `{name}` is too long: {why}");
            self.d
                .error(Code::NameTooLong, place.clone(), message)
                .help("choose a shorter name: two long ones may become the same");
        }
    }
}
