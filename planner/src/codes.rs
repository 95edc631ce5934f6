//! The stable codes of diagnostics. A code, once given out, keeps its meaning.

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        /// The code of a diagnostic.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// The code as printed.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)+ }
            }
        }
    };
}

codes! {
    /// The YAML can't be parsed.
    YamlSyntax = "SQ0101";
    /// A key that the language does not know.
    UnknownKey = "SQ0102";
    /// A required key is missing.
    MissingKey = "SQ0103";
    /// A value has another type than the key needs.
    WrongType = "SQ0104";
    /// Both `p` and `p_expression` are given.
    BothForms = "SQ0105";
    /// A value is not one of those allowed.
    BadValue = "SQ0106";
    /// A key is given twice.
    DuplicateKey = "SQ0107";
    /// An operation that the language does not know.
    UnknownOperation = "SQ0108";
    /// Two steps have the same id.
    DuplicateId = "SQ0109";
    /// A flow that the project does not have.
    UnknownFlow = "SQ0201";
    /// A source that the project does not have.
    UnknownSource = "SQ0202";
    /// A source of another kind than the place needs.
    WrongSourceKind = "SQ0203";
    /// A step named in `depends_on` is not there, or comes later.
    UnknownStep = "SQ0204";
    /// Flows that call each other in a circle.
    FlowCycle = "SQ0205";
    /// A variable that nothing sets.
    UnknownVariable = "SQ0206";
    /// A Jinja template can't be parsed.
    JinjaSyntax = "SQ0301";
    /// Python code can't be parsed.
    PythonSyntax = "SQ0302";
    /// The planner can't read a SQL statement, so it takes it as touching the whole source.
    OpaqueSql = "SQ0303";
    /// A type that is not a column type.
    BadColumnType = "SQ0304";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
