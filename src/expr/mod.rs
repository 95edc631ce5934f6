//! Evaluates properties: literals as they are, Jinja by minijinja, Python by the interpreter.

mod evaluate;
mod jinja;
mod native;
mod world;

pub use evaluate::Evaluator;
pub use jinja::no_env;
pub use world::{Ask, World, scalar, var};
