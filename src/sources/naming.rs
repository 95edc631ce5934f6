//! What a name that a flow writes is called in a database: what it would mean there in SQL, without quotes.

use crate::batch::column::Column;

/// How a database takes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// A plain name is kept in lower case; one with other characters than letters, digits and `_` as it is.
    Lower,
    /// Likewise, in upper case.
    Upper,
    /// Names are kept as they are written, and found in any case.
    AnyCase,
    /// Names are kept and found as they are written: `identifiers: quoted`.
    Quoted,
}

impl Naming {
    /// Returns the naming of a source, whose `identifiers` may be `quoted`.
    pub fn of_source(self, quoted: bool) -> Naming {
        match (self, quoted) {
            (Naming::Lower | Naming::Upper, true) => Naming::Quoted,
            (naming, _) => naming,
        }
    }

    /// Returns a name as the database keeps it.
    pub fn fold(self, name: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let plain = name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit());
        match self {
            Naming::Lower if plain => name.to_ascii_lowercase(),
            Naming::Upper if plain => name.to_ascii_uppercase(),
            _ => name.to_string(),
        }
    }

    /// Tells whether two names, as the database keeps them, are one.
    pub fn same(self, a: &str, b: &str) -> bool {
        match self {
            Naming::AnyCase => a.eq_ignore_ascii_case(b),
            _ => a == b,
        }
    }

    /// Tells whether a table has the column that a flow calls `name`.
    pub fn knows(self, columns: &[Column], name: &str) -> bool {
        self.find(columns, &self.fold(name)).is_some() || columns.iter().any(|c| c.name == name)
    }

    /// Returns the column of that name.
    pub fn find<'c>(self, columns: &'c [Column], name: &str) -> Option<&'c Column> {
        let exact = columns.iter().find(|c| c.name == name);
        exact.or_else(|| columns.iter().find(|c| self.same(&c.name, name)))
    }
}
