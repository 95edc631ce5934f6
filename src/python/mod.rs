//! Python: one thread owns the interpreter; expressions are compiled once and called with the scope at hand.

mod bridge;
mod call;
mod convert;
mod interpreter;
mod module;
mod object;
mod parser;
mod rows;
mod session;
#[cfg(feature = "embed")]
mod start;
#[cfg(not(feature = "embed"))]
#[path = "found.rs"]
mod start;

pub use call::Call;
pub use convert::{from_python, to_python};
pub use interpreter::{Interpreter as Python, Visit, settle};
pub use parser::{NamedTable, Parsed, ParserTables};
pub use rows::OnFull;
