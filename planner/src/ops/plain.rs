//! Operations without steps inside: what the compiler asks of each, and the list of them.

use serde::{Deserialize, Serialize};

use super::{Execute, MigrateSchema, Print, SetVariable, TableRef, Transform, VariableSet, WriteMode};
use crate::effects::{Effects, FlowScope};
use crate::expr::{EachProp, Prop};
use crate::span::Place;

/// What the compiler asks of an operation that has no steps inside.
pub trait PlainOperation: EachProp {
    /// The sources that its keys name, which must be databases, and where they do.
    fn databases(&self) -> Vec<(&str, &Place)> {
        Vec::new()
    }

    /// The table that it makes or changes, and how its rows are written, where it writes rows.
    fn fills(&self) -> Option<(&TableRef, Option<&WriteMode>)> {
        None
    }

    /// The source and the text of statements that may make tables.
    fn statements(&self) -> Option<(&str, &Prop)> {
        None
    }

    /// The variables that it sets.
    fn sets(&self) -> &[VariableSet] {
        &[]
    }

    /// Adds what it reads and writes to the effects, and settles what depends on the project. Called once, before the
    /// step is part of the plan. The further sources that must be databases, and where they are named.
    fn plan(&mut self, effects: &mut Effects, scope: &FlowScope<'_>) -> Vec<(String, Place)>;

    /// What it does, in one line.
    fn summary(&self) -> String;

    /// Lines about where and how it runs.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The operations: one line each, by the name of the variant. In a plan's JSON the name is in snake case.
macro_rules! plain {
    ($($name:ident($kind:ty),)*) => {
        /// An operation without steps inside. It is boxed where it stands.
        #[allow(clippy::large_enum_variant)]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Plain {
            $($name($kind),)*
        }

        impl Plain {
            /// Returns the operation.
            pub fn operation(&self) -> &dyn PlainOperation {
                match self {
                    $(Plain::$name(operation) => operation,)*
                }
            }

            /// Returns the same, to be changed.
            pub fn operation_mut(&mut self) -> &mut dyn PlainOperation {
                match self {
                    $(Plain::$name(operation) => operation,)*
                }
            }
        }
    };
}

plain! {
    Transform(Transform),
    Execute(Execute),
    SetVariable(SetVariable),
    Print(Print),
    MigrateSchema(MigrateSchema),
}

impl EachProp for Plain {
    fn each_prop<'p>(&'p self, f: &mut dyn FnMut(&'p Prop)) {
        self.operation().each_prop(f);
    }

    fn each_prop_mut(&mut self, f: &mut dyn FnMut(&mut Prop)) {
        self.operation_mut().each_prop_mut(f);
    }
}
