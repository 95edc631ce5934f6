//! Evaluates properties: literals as they are, Jinja by minijinja, Python by the interpreter.

mod clock;
mod evaluate;
mod jinja;
mod native;

pub use evaluate::Evaluator;
