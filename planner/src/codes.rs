//! The stable codes of diagnostics. A code, once given out, keeps its meaning.

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)+) => {
        /// The code of a diagnostic.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $title] $name,)+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// Returns the code as printed.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)+ }
            }

            /// Returns what it means, in one line.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)+ }
            }

            /// Returns what it means and what to do, with an example: Markdown.
            pub fn explanation(self) -> &'static str {
                match self { $(Code::$name => include_str!(concat!("codes/", $code, ".md")),)+ }
            }
        }
    };
}

codes! {
    YamlSyntax = "SQ0101", "The YAML can't be read";
    UnknownKey = "SQ0102", "A key that the language does not know";
    MissingKey = "SQ0103", "A required key is missing";
    WrongType = "SQ0104", "A value has another type than its key needs";
    BothForms = "SQ0105", "Both `p` and `p_expression` are given";
    BadValue = "SQ0106", "A value that is not allowed";
    DuplicateKey = "SQ0107", "A key is given twice";
    UnknownOperation = "SQ0108", "An operation that the language does not know";
    DuplicateId = "SQ0109", "Several steps have the id that something points at";
    UnknownFlow = "SQ0201", "A flow that the project does not have";
    UnknownSource = "SQ0202", "A source that the project does not have";
    WrongSourceKind = "SQ0203", "A source of another kind than the place needs";
    UnknownStep = "SQ0204", "`depends_on` names a step that is not there, or comes later";
    FlowCycle = "SQ0205", "Flows call each other in a circle";
    UnknownVariable = "SQ0206", "A variable that nothing sets";
    UnknownTable = "SQ0207", "A table is read that nothing creates";
    SameAgain = "SQ0208", "A loop whose rounds are all the same";
    Unreachable = "SQ0209", "Steps that never run";
    CreatedPerRound = "SQ0210", "A table is created anew in each round of a loop";
    UnknownColumn = "SQ0211", "A column that its table does not have";
    UnusedParameter = "SQ0212", "A parameter that the called flow never reads";
    ForeignHost = "SQ0213", "Credentials that are left off, since a host comes out of data";
    SharedRejects = "SQ0214", "Rejected rows of several flows go to one table";
    RowsTwice = "SQ0215", "Rows that are asked for again are added besides the old ones";
    OtherRequest = "SQ0216", "An incremental request that is another one than that by which its tables were filled";
    JinjaSyntax = "SQ0301", "A Jinja template can't be read";
    PythonSyntax = "SQ0302", "Python code can't be read";
    OpaqueSql = "SQ0303", "SQL that the planner can't read";
    BadColumnType = "SQ0304", "A type or a format that no column has";
    NameTooLong = "SQ0306", "A name that its database does not keep whole";
    NoReturn = "SQ0305", "Python statements that return nothing";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
