//! Where state is kept, as the rest of this folder sees it: SQL that both places understand, in transactions.

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};

/// A value that goes in or comes out. Null has the type of its column.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Int(Option<i64>),
    Float(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Field {
    /// Returns a text, of none and of what is no text, an empty one.
    pub fn text(&self) -> &str {
        match self {
            Field::Text(Some(text)) => text,
            _ => "",
        }
    }

    /// Returns a text that need not be there.
    pub fn optional_text(&self) -> Option<String> {
        match self {
            Field::Text(text) => text.clone(),
            _ => None,
        }
    }

    /// Returns a whole number; 0 for none.
    pub fn int(&self) -> i64 {
        match self {
            Field::Int(Some(n)) => *n,
            _ => 0,
        }
    }

    /// Returns a number; 0 for none.
    pub fn float(&self) -> f64 {
        match self {
            Field::Float(Some(n)) => *n,
            // SQLite gives a whole number as one.
            Field::Int(Some(n)) => *n as f64,
            _ => 0.0,
        }
    }

    /// Returns bytes; none where there are none.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Field::Bytes(Some(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Field {
        Field::Text(Some(text.into()))
    }
}

impl From<String> for Field {
    fn from(text: String) -> Field {
        Field::Text(Some(text))
    }
}

impl From<Option<String>> for Field {
    fn from(text: Option<String>) -> Field {
        Field::Text(text)
    }
}

impl From<u64> for Field {
    fn from(n: u64) -> Field {
        Field::Int(Some(i64::try_from(n).unwrap_or(i64::MAX)))
    }
}

impl From<f64> for Field {
    fn from(n: f64) -> Field {
        Field::Float(Some(n))
    }
}

/// A row that was read.
pub type Record = Vec<Field>;

/// A statement: SQL in which `$1` stands for the first argument, `@` before a table for the place it is in, and `@now` for the
/// place's own clock, in milliseconds.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sql: String,
    pub args: Vec<Field>,
    /// Whether nothing is written where it touches no row.
    pub guards: bool,
}

impl Statement {
    /// Creates a statement.
    pub fn new(sql: impl Into<String>, args: impl IntoIterator<Item = Field>) -> Statement {
        Statement {
            sql: sql.into(),
            args: args.into_iter().collect(),
            guards: false,
        }
    }

    /// Returns the same statement; where it touches no row, nothing of its transaction is written.
    pub fn guarding(mut self) -> Statement {
        self.guards = true;
        self
    }
}

/// What must be survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process.
    Process,
    /// The end of the machine, too.
    Machine,
}

/// What became of statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// All were carried out; the rows that each touched.
    All(Vec<u64>),
    /// The guard at this position touched no row: nothing was written.
    Refused(usize),
}

impl Written {
    /// # Errors
    /// A guard refused, where none may.
    pub fn all(self) -> Result<Vec<u64>> {
        match self {
            Written::All(touched) => Ok(touched),
            Written::Refused(_) => Err(Error::new(
                ErrorKind::State,
                "the state was changed by another program meanwhile",
            )),
        }
    }
}

/// A place where state is kept.
#[async_trait]
pub trait Home: Send + Sync {
    /// Carries out statements, all or none. `what`: what they keep, for tests that stop the program there.
    ///
    /// # Errors
    /// What the database says.
    async fn write(
        &self,
        what: &'static str,
        statements: &[Statement],
        durability: Durability,
    ) -> Result<Written>;

    /// Returns the rows that a statement reads.
    ///
    /// # Errors
    /// What the database says.
    async fn read(&self, statement: &Statement) -> Result<Vec<Record>>;

    /// Tells whether there is a table.
    ///
    /// # Errors
    /// What the database says.
    async fn has_table(&self, table: &'static str) -> Result<bool>;

    /// Returns the type of columns that hold bytes.
    fn bytes_type(&self) -> &'static str;

    /// Tells whether others than the owner of the project's folder can read it.
    fn is_shared(&self) -> bool;

    /// Returns what it is called in messages.
    fn shown(&self) -> String;

    /// Gives back connections.
    async fn close(&self) {}
}
