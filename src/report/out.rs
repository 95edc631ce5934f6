//! Writing to standard output and error. A reader that has gone away (`| head`) is no reason to break down.

use std::fmt::Display;
use std::io::Write;

/// Prints a line on standard output.
pub fn out(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line on standard error.
pub fn err(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
