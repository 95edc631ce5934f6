//! Table names: from SQL or a flow to an identity, and from that to a folder.

use std::fmt;

use sqlparser::ast::{Ident, ObjectName};

use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;

/// The namespace of tables named without one.
pub const DEFAULT_NAMESPACE: &str = "main";

/// The namespace of tables that live as long as one statement.
pub const SCRATCH_NAMESPACE: &str = "sequor_scratch";

/// How many bytes the name of a folder has at most: NAME_MAX of Linux and macOS.
const LONGEST: usize = 255;

/// The catalog's name in SQL, for those who write all three parts.
pub const CATALOG: &str = "staging";

/// Which table: names as they are, no quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId {
    pub namespace: String,
    pub table: String,
}

impl TableId {
    /// Creates the table `namespace.table` of `database`.
    ///
    /// # Errors
    /// A database other than this one, or an empty name.
    pub fn new(database: Option<&str>, namespace: Option<&str>, table: &str) -> Result<Self> {
        if let Some(database) = database.filter(|d| *d != CATALOG) {
            let message = format!("the staging database has no database `{database}`");
            return Err(
                Error::new(ErrorKind::Sql, message).help("name the table as `table` or `namespace.table`")
            );
        }
        let namespace = namespace.unwrap_or(DEFAULT_NAMESPACE);
        if table.is_empty() || namespace.is_empty() {
            return Err(Error::new(ErrorKind::Sql, "a table's name can't be empty"));
        }
        for name in [namespace, table] {
            let length = encode(name).len();
            if length > LONGEST {
                let message = format!("the name `{name}` is too long for a table of staging");
                return Err(Error::new(ErrorKind::Sql, message).help(format!(
                    "its folder keeps {LONGEST} letters, digits, `_` and `-`, of which each other byte of a name takes 3, and it would have {length}"
                )));
            }
        }
        Ok(TableId {
            namespace: namespace.to_string(),
            table: table.to_string(),
        })
    }

    /// Creates a table named in a flow.
    pub fn of(name: &TableName) -> Result<Self> {
        TableId::new(name.database.as_deref(), name.namespace.as_deref(), &name.table)
    }

    /// Creates a table named in SQL.
    pub fn of_sql(name: &ObjectName) -> Result<Self> {
        let parts: Vec<String> = name
            .0
            .iter()
            .filter_map(|part| part.as_ident().map(fold))
            .collect();
        match parts.as_slice() {
            [table] => TableId::new(None, None, table),
            [namespace, table] => TableId::new(None, Some(namespace), table),
            [database, namespace, table] => TableId::new(Some(database), Some(namespace), table),
            _ => Err(Error::new(
                ErrorKind::Sql,
                format!("`{name}` is not a table's name"),
            )),
        }
    }

    /// Returns the table's folder below the root, with `/` at its end.
    pub fn folder(&self) -> String {
        format!("{}/{}/", encode(&self.namespace), encode(&self.table))
    }

    /// Returns the name as SQL.
    pub fn sql(&self) -> String {
        format!("{}.{}", quote(&self.namespace), quote(&self.table))
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != DEFAULT_NAMESPACE {
            write!(f, "{}.", self.namespace)?;
        }
        f.write_str(&self.table)
    }
}

/// Returns an identifier as PostgreSQL reads it: lower case unless quoted.
pub fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// `name` as a quoted identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a folder's name for any text: `a-z`, `0-9`, `_` and `-` stay, each other byte becomes `@` and two hex
/// digits. Upper case is encoded as well, because some file systems ignore case and SQL does not.
pub fn encode(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => folder.push(char::from(byte)),
            _ => folder.push_str(&format!("@{byte:02x}")),
        }
    }
    folder
}

/// Returns the name that [`encode`] made `folder` of; none for a folder it did not make.
pub fn decode(folder: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'@' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (encode(&name) == folder).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_longer_than_that_of_a_folder() {
        let of = |name: &str| TableId::new(None, None, name);
        assert!(of(&"a".repeat(255)).is_ok());
        assert!(of(&"a".repeat(256)).is_err());
        assert!(of(&"é".repeat(43)).is_err());
    }

    #[test]
    fn any_name_comes_back_from_its_folder() {
        for name in [
            "orders",
            "Order Items",
            "..",
            "a/b",
            "ключ",
            "\"q\"",
            "@41",
            "%2e",
            ".",
        ] {
            let folder = encode(name);
            assert!(
                folder
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "@_-".contains(c))
            );
            assert_eq!(decode(&folder).as_deref(), Some(name));
        }
        assert_eq!(encode("orders"), "orders");
        assert_eq!(decode("Orders"), None);
    }
}
