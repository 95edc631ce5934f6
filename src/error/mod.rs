//! The one error type of the engine: a kind, what happened, where, and what to do about it.

mod policy;

use std::fmt;

use sequor_planner::Place;

pub use policy::{Blame, Exit, POLICIES, Policy, Retry};

/// What went wrong, as a class. What follows from it stands in [`POLICIES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Project files, environment or command line are wrong.
    Project,
    /// A server could not be reached: refused, unknown host. Nothing was sent.
    Connect,
    /// A server's certificate is not trusted. Nothing was sent.
    Certificate,
    /// The connection broke while a request was under way: whether it was carried out is not known.
    Broken,
    /// A server did not answer in time.
    Timeout,
    /// Credentials are missing or were refused.
    Unauthorized,
    /// An HTTP response had a status that the step does not accept.
    Status(u16),
    /// What a response says is a failure, by a rule of the flow.
    Refused,
    /// A response or its data has another shape than the step needs.
    Data,
    /// A value does not fit its column.
    Value,
    /// A database refused a statement.
    Sql,
    /// A table does not exist.
    NoTable,
    /// A variable is not defined, or can't be kept.
    Variable,
    /// A Jinja template failed.
    Template,
    /// Python code raised.
    Python,
    /// The local file system.
    Io,
    /// No recording answers a request in replay.
    Replay,
    /// Something went on for longer than it may.
    Limit,
    /// Flows call themselves without an end: nothing takes this error.
    Depth,
    /// The run was interrupted.
    Cancelled,
    /// A step before failed, so that what this one did does not take effect.
    TakenBack,
    /// What runs remember can't be read or written.
    State,
    /// Another run has what this one needs.
    Locked,
    /// A run can't be gone on with.
    Resume,
    /// Rows may have been sent, or not: nobody knows.
    InDoubt,
    /// A bug in this program.
    Internal,
}

/// An error of the engine.
#[derive(Debug, Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    /// The message with all of a text of which it shows the beginning.
    whole: Option<String>,
    help: Option<String>,
    place: Option<Place>,
    context: Vec<String>,
    /// The table that it is about.
    table: Option<String>,
    trace: Option<String>,
    reported: bool,
}

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                whole: None,
                help: None,
                place: None,
                context: Vec::new(),
                table: None,
                trace: None,
                reported: false,
            }),
        }
    }

    /// Adds the message with all of a text of which it shows the beginning, for records that have room.
    pub fn whole(mut self, message: impl Into<String>) -> Self {
        self.inner.whole = Some(message.into());
        self
    }

    /// Returns what happened in full: the whole message where there is one.
    pub fn whole_message(&self) -> &str {
        self.inner.whole.as_deref().unwrap_or(&self.inner.message)
    }

    /// Adds what to do about it; the innermost advice stays.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.inner.help.get_or_insert_with(|| help.into());
        self
    }

    /// Returns the same error with other advice.
    pub fn replace_help(mut self, help: impl Into<String>) -> Self {
        self.inner.help = Some(help.into());
        self
    }

    /// Adds where in the project it happened; the innermost place stays.
    pub fn at(mut self, place: &Place) -> Self {
        self.inner.place.get_or_insert_with(|| place.clone());
        self
    }

    /// Adds what was being done ("table `orders`"), outermost last.
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.inner.context.push(context.into());
        self
    }

    /// Adds the table that it is about, as context where the message does not name it; the innermost stays.
    pub fn about_table(mut self, table: &str) -> Self {
        if self.inner.table.is_none() {
            self.inner.table = Some(table.to_string());
            if !self.inner.message.starts_with("table `") {
                self.inner.context.push(format!("table `{table}`"));
            }
        }
        self
    }

    /// Returns the table that it is about.
    pub fn table(&self) -> Option<&str> {
        self.inner.table.as_deref()
    }

    /// Adds an interpreter's own traceback, shown on demand.
    pub fn trace(mut self, trace: impl Into<String>) -> Self {
        self.inner.trace.get_or_insert_with(|| trace.into());
        self
    }

    /// Returns the interpreter's traceback, if there is one.
    pub fn traceback(&self) -> Option<&str> {
        self.inner.trace.as_deref()
    }

    /// Marks the error as reported by the step where it happened: the steps around need not repeat it.
    pub fn reported(mut self) -> Self {
        self.inner.reported = true;
        self
    }

    /// Tells whether a step has reported it.
    pub fn is_reported(&self) -> bool {
        self.inner.reported
    }

    /// Returns the class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns what happened, without context and place.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns where in the project's files it happened.
    pub fn place(&self) -> Option<&Place> {
        self.inner.place.as_ref()
    }

    /// Returns what to do: the advice given where it happened, else that of its kind.
    pub fn advice(&self) -> Option<&str> {
        self.inner.help.as_deref().or_else(|| self.inner.kind.advice())
    }

    /// Returns the same error with every text passed through `f` (used to remove secrets).
    pub fn map_text(mut self, f: impl Fn(&str) -> String) -> Self {
        self.inner.message = f(&self.inner.message);
        self.inner.whole = self.inner.whole.as_deref().map(&f);
        self.inner.help = self.inner.help.as_deref().map(&f);
        self.inner.trace = self.inner.trace.as_deref().map(&f);
        for context in &mut self.inner.context {
            *context = f(context);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.inner.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.inner.message)
    }
}

impl std::error::Error for Error {}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        let kind = match error {
            // What a database gave has no room in the types that all have.
            arrow::error::ArrowError::CastError(_) => ErrorKind::Value,
            _ => ErrorKind::Internal,
        };
        Error::new(kind, error.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::new(ErrorKind::Io, error.to_string())
    }
}
