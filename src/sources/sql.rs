//! SQL that databases have in common. Names are quoted, always.

use crate::batch::column::Column;
use crate::error::{Error, ErrorKind};

/// `name` as a quoted identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a string literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A query that gives, in order, what `expression` makes of each text; in it the text is called `x`. `literal` writes one.
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

/// The columns of a CREATE TABLE; `sql_type` gives each its type.
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

/// The rows of a side table, which a key tells apart, as statements.
#[derive(Clone, Copy)]
pub struct Keyed<'a> {
    /// The side table, quoted.
    pub side: &'a str,
    pub key: &'a [String],
}

impl Keyed<'_> {
    /// The key's columns, quoted.
    pub fn key_list(&self) -> String {
        column_list(self.key.iter().map(String::as_str))
    }

    /// `a.key = b.key`, for each column of the key.
    fn same(&self, a: &str, b: &str) -> String {
        let same = self.key.iter().map(|name| {
            let name = quote(name);
            format!("{a}.{name} = {b}.{name}")
        });
        same.collect::<Vec<_>>().join(" AND ")
    }

    /// Of the side table's rows with the same key, only the last stays. `row`: what tells their order.
    pub fn keep_last(&self, row: &str) -> String {
        let (side, same) = (self.side, self.same("a", "b"));
        format!("DELETE FROM {side} a USING {side} b WHERE {same} AND a.{row} < b.{row}")
    }

    /// The same, where DELETE has no USING; `row` must be something that has a maximum.
    pub fn keep_last_of_groups(&self, row: &str) -> String {
        let (side, key) = (self.side, self.key_list());
        format!("DELETE FROM {side} WHERE {row} NOT IN (SELECT max({row}) FROM {side} GROUP BY {key})")
    }

    /// Gives a row when several of the side table have the same key.
    pub fn duplicates(&self) -> String {
        let (key, side) = (self.key_list(), self.side);
        format!("SELECT {key} FROM {side} GROUP BY {key} HAVING count(*) > 1 LIMIT 1")
    }

    /// Gives a row when a column of the key is null in one.
    pub fn nulls(&self, name: &str) -> String {
        format!(
            "SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1",
            self.side,
            quote(name)
        )
    }
}

/// Rows of a side table take the place of those with the same key in a target, as statements.
///
/// By UPDATE and INSERT rather than ON CONFLICT: the target need not have a unique index on the key, and rows that others
/// refer to keep their identity.
pub struct UpsertSql<'a> {
    /// The new rows; their table has all of `columns`.
    pub rows: Keyed<'a>,
    /// The target, quoted.
    pub target: &'a str,
    pub columns: &'a [String],
}

impl UpsertSql<'_> {
    /// Changes the target's rows that have the key of one in the side table; none when there is nothing to change.
    pub fn update(&self) -> Option<String> {
        let others: Vec<String> = self
            .columns
            .iter()
            .filter(|name| !self.rows.key.contains(name))
            .map(|name| format!("{0} = s.{0}", quote(name)))
            .collect();
        (!others.is_empty()).then(|| {
            format!(
                "UPDATE {} AS t SET {} FROM {} AS s WHERE {}",
                self.target,
                others.join(", "),
                self.rows.side,
                self.rows.same("t", "s")
            )
        })
    }

    /// Takes those rows out of the side table whose key the target has: the others are to be added. By IN, which every
    /// database carries out by hashing or sorting, indexes or none.
    pub fn drop_known(&self) -> String {
        let (side, target, key) = (self.rows.side, self.target, self.rows.key_list());
        let columns = match self.rows.key {
            [_] => key.clone(),
            _ => format!("({key})"),
        };
        format!("DELETE FROM {side} WHERE {columns} IN (SELECT {key} FROM {target})")
    }

    /// Adds the rows whose key the target does not have.
    pub fn insert(&self) -> String {
        let columns = column_list(self.columns.iter().map(String::as_str));
        format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {side} s \
             WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {same})",
            target = self.target,
            side = self.rows.side,
            same = self.rows.same("t", "s")
        )
    }
}

/// What is said of a query that gives several rows with the same key.
pub fn duplicate_keys_error(key: &[String]) -> Error {
    let message = format!(
        "the query gives several rows with the same `{}`",
        key.join("`, `")
    );
    Error::new(ErrorKind::Data, message)
        .help("aggregate, or pick one row of each key by `select distinct on`")
}

/// What is said of a key's column that is null.
pub fn null_error(name: &str) -> Error {
    let message = format!("column `{name}` of the primary key is null in some rows");
    Error::new(ErrorKind::Data, message).help("leave those rows out, or choose another `primary_key`")
}
