//! SQL that databases have in common. Names are quoted, always.

use crate::batch::column::Column;

/// `name` as a quoted identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a string literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns a query without the semicolons and space at its end, so that it can stand in another.
pub fn without_end(query: &str) -> &str {
    query
        .trim()
        .trim_end_matches(|c: char| c == ';' || c.is_whitespace())
}

/// Returns a query as what stands behind FROM.
pub fn as_rows(query: &str) -> String {
    format!("({}\n) q", without_end(query))
}

/// Returns a query that gives, in order, what `expression` makes of each text; in it the text is called `x`. `literal`
/// writes one.
pub fn of_each(expression: &str, texts: &[String], literal: impl Fn(&str) -> String) -> String {
    let rows: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| format!("({at}, {})", literal(text)))
        .collect();
    format!(
        "SELECT {expression} AS v FROM (VALUES {}) AS t(n, x) ORDER BY n",
        rows.join(", ")
    )
}

/// Column names, quoted, with commas.
pub fn column_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quote).collect::<Vec<_>>().join(", ")
}

/// Returns the columns of a CREATE TABLE; `sql_type` gives each its type.
pub fn definitions(columns: &[Column], sql_type: impl Fn(&Column) -> String) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|c| format!("{} {}", quote(&c.name), sql_type(c)))
        .collect();
    columns.join(", ")
}

/// Changes of a table's columns, for databases that change one with each statement. `table`: quoted.
pub fn alterations(table: &str, add: &[Column], drop: &[String]) -> Vec<String> {
    let added = add.iter().map(|c| {
        format!(
            "ALTER TABLE {table} ADD COLUMN {} {}",
            quote(&c.name),
            c.column_type.declaration()
        )
    });
    let dropped = drop
        .iter()
        .map(|name| format!("ALTER TABLE {table} DROP COLUMN {}", quote(name)));
    added.chain(dropped).collect()
}
