//! What follows from an error, by its kind: one table for the client, rejects, the command line and `sequor explain`.

use super::ErrorKind;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The row's that was asked for: others may go well, so it can be rejected alone.
    Row,
    /// The step's: every row of it would fail.
    Step,
    /// The run's: other steps would fail, too.
    Run,
}

/// What of a `retry` says whether a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Never,
    /// `on: connect`.
    Connect,
    /// `on: timeout`.
    Timeout,
    /// `statuses`.
    Status,
}

/// Exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// The flow failed.
    Failed = 1,
    /// The project or the command line is wrong: nothing was run.
    Wrong = 2,
    Interrupted = 130,
}

/// What follows from errors of a kind.
#[derive(Debug)]
pub struct Policy {
    pub kind: ErrorKind,
    /// A stable code: once given out, it keeps its meaning.
    pub code: &'static str,
    /// What it means, in one line.
    pub title: &'static str,
    pub blame: Blame,
    pub retry: Retry,
    /// What the program exits with when the error ends a command before any step ran. A failed step gives
    /// [`Exit::Failed`], whatever its error is.
    pub exit: Exit,
    /// What to try, where the place that failed knows nothing better.
    pub advice: Option<&'static str>,
    /// What it means and what to do, as Markdown.
    pub explanation: &'static str,
}

/// Every kind.
pub static POLICIES: &[Policy] = &[
    Policy {
        kind: ErrorKind::Project,
        code: "SQ1001",
        title: "The project, its environment or the command line is wrong",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Wrong,
        advice: None,
        explanation: include_str!("codes/SQ1001.md"),
    },
    Policy {
        kind: ErrorKind::Connect,
        code: "SQ1002",
        title: "A server could not be reached",
        blame: Blame::Step,
        retry: Retry::Connect,
        exit: Exit::Failed,
        advice: Some("check that the server runs and that host and port are right"),
        explanation: include_str!("codes/SQ1002.md"),
    },
    Policy {
        kind: ErrorKind::Broken,
        code: "SQ1003",
        title: "The connection broke while a request was under way",
        blame: Blame::Step,
        retry: Retry::Connect,
        exit: Exit::Failed,
        advice: Some("the server or something on the way closed the connection; run again later"),
        explanation: include_str!("codes/SQ1003.md"),
    },
    Policy {
        kind: ErrorKind::Timeout,
        code: "SQ1004",
        title: "A server did not answer in time",
        blame: Blame::Step,
        retry: Retry::Timeout,
        exit: Exit::Failed,
        advice: Some("the server is slow or unreachable; `timeout` in the source sets how long to wait"),
        explanation: include_str!("codes/SQ1004.md"),
    },
    Policy {
        kind: ErrorKind::Unauthorized,
        code: "SQ1005",
        title: "Credentials are missing or were refused",
        blame: Blame::Step,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: Some("check the credentials in the source and in the environment"),
        explanation: include_str!("codes/SQ1005.md"),
    },
    Policy {
        kind: ErrorKind::Status(0),
        code: "SQ1006",
        title: "A response has a status that the step does not accept",
        blame: Blame::Row,
        retry: Retry::Status,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1006.md"),
    },
    Policy {
        kind: ErrorKind::Refused,
        code: "SQ1007",
        title: "A response is a failure by a rule of the flow",
        blame: Blame::Row,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1007.md"),
    },
    Policy {
        kind: ErrorKind::Data,
        code: "SQ1008",
        title: "Data has another shape than the step needs",
        blame: Blame::Row,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1008.md"),
    },
    Policy {
        kind: ErrorKind::Value,
        code: "SQ1009",
        title: "A value does not fit its column",
        blame: Blame::Row,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1009.md"),
    },
    Policy {
        kind: ErrorKind::Sql,
        code: "SQ1010",
        title: "A database refused a statement",
        blame: Blame::Step,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1010.md"),
    },
    Policy {
        kind: ErrorKind::NoTable,
        code: "SQ1011",
        title: "A table does not exist",
        blame: Blame::Step,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: Some("check the table's name and source, and that the step which fills it ran"),
        explanation: include_str!("codes/SQ1011.md"),
    },
    Policy {
        kind: ErrorKind::Variable,
        code: "SQ1012",
        title: "A variable is not defined, or can't be kept",
        blame: Blame::Row,
        retry: Retry::Never,
        exit: Exit::Wrong,
        advice: None,
        explanation: include_str!("codes/SQ1012.md"),
    },
    Policy {
        kind: ErrorKind::Template,
        code: "SQ1013",
        title: "A Jinja template failed",
        blame: Blame::Row,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1013.md"),
    },
    Policy {
        kind: ErrorKind::Python,
        code: "SQ1014",
        title: "Python code raised",
        blame: Blame::Row,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1014.md"),
    },
    Policy {
        kind: ErrorKind::Io,
        code: "SQ1015",
        title: "The local file system refused",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1015.md"),
    },
    Policy {
        kind: ErrorKind::Replay,
        code: "SQ1016",
        title: "No recording answers a request",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Wrong,
        advice: None,
        explanation: include_str!("codes/SQ1016.md"),
    },
    Policy {
        kind: ErrorKind::Limit,
        code: "SQ1017",
        title: "Something went on for longer than it may",
        blame: Blame::Row,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1017.md"),
    },
    Policy {
        kind: ErrorKind::Depth,
        code: "SQ1018",
        title: "Flows call themselves without an end",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1018.md"),
    },
    Policy {
        kind: ErrorKind::Cancelled,
        code: "SQ1019",
        title: "The run was interrupted",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Interrupted,
        advice: None,
        explanation: include_str!("codes/SQ1019.md"),
    },
    Policy {
        kind: ErrorKind::TakenBack,
        code: "SQ1020",
        title: "A step before failed",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1020.md"),
    },
    Policy {
        kind: ErrorKind::Certificate,
        code: "SQ1021",
        title: "A server's certificate is not trusted",
        blame: Blame::Step,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: Some(
            "if the server has a certificate of your own, name it, or the authority that signed it, in `tls: {ca_cert: FILE}` of the source",
        ),
        explanation: include_str!("codes/SQ1021.md"),
    },
    Policy {
        kind: ErrorKind::State,
        code: "SQ1022",
        title: "What runs remember can't be read or written",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1022.md"),
    },
    Policy {
        kind: ErrorKind::Locked,
        code: "SQ1023",
        title: "Another run has what this one needs",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: None,
        explanation: include_str!("codes/SQ1023.md"),
    },
    Policy {
        kind: ErrorKind::Resume,
        code: "SQ1024",
        title: "A run can't be gone on with",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Wrong,
        advice: None,
        explanation: include_str!("codes/SQ1024.md"),
    },
    Policy {
        kind: ErrorKind::InDoubt,
        code: "SQ1025",
        title: "Rows may have been sent, or not",
        blame: Blame::Step,
        retry: Retry::Never,
        exit: Exit::Wrong,
        advice: None,
        explanation: include_str!("codes/SQ1025.md"),
    },
    Policy {
        kind: ErrorKind::Internal,
        code: "SQ1099",
        title: "A bug in this program",
        blame: Blame::Run,
        retry: Retry::Never,
        exit: Exit::Failed,
        advice: Some("this is a bug in sequor: please report it with the flow"),
        explanation: include_str!("codes/SQ1099.md"),
    },
];

impl ErrorKind {
    /// Returns what follows from errors of this kind.
    pub fn policy(self) -> &'static Policy {
        let same = |known: ErrorKind| std::mem::discriminant(&known) == std::mem::discriminant(&self);
        let found = POLICIES.iter().find(|policy| same(policy.kind));
        // The test below holds that every kind is there.
        found.unwrap_or(&POLICIES[POLICIES.len() - 1])
    }

    /// Returns the code that `sequor explain` knows.
    pub fn code(self) -> &'static str {
        self.policy().code
    }

    /// Returns what to try, where the place that failed knows nothing better.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            ErrorKind::Status(404) => Some("check the url: host, path and API version"),
            ErrorKind::Status(429) => {
                Some("the API limits its rate: set `rate_limit` or a lower `concurrency` in the source")
            }
            ErrorKind::Status(500..=599) => Some("the API itself failed; run again later"),
            kind => kind.policy().advice,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The position of a kind in the table. Written out, so that a new kind does not compile before it has a place here.
    fn place(kind: ErrorKind) -> usize {
        match kind {
            ErrorKind::Project => 0,
            ErrorKind::Connect => 1,
            ErrorKind::Broken => 2,
            ErrorKind::Timeout => 3,
            ErrorKind::Unauthorized => 4,
            ErrorKind::Status(_) => 5,
            ErrorKind::Refused => 6,
            ErrorKind::Data => 7,
            ErrorKind::Value => 8,
            ErrorKind::Sql => 9,
            ErrorKind::NoTable => 10,
            ErrorKind::Variable => 11,
            ErrorKind::Template => 12,
            ErrorKind::Python => 13,
            ErrorKind::Io => 14,
            ErrorKind::Replay => 15,
            ErrorKind::Limit => 16,
            ErrorKind::Depth => 17,
            ErrorKind::Cancelled => 18,
            ErrorKind::TakenBack => 19,
            ErrorKind::Certificate => 20,
            ErrorKind::State => 21,
            ErrorKind::Locked => 22,
            ErrorKind::Resume => 23,
            ErrorKind::InDoubt => 24,
            ErrorKind::Internal => 25,
        }
    }

    #[test]
    fn every_kind_has_its_place_and_a_code_of_its_own() {
        for (at, policy) in POLICIES.iter().enumerate() {
            assert_eq!(place(policy.kind), at);
            assert_eq!(policy.kind.policy().code, policy.code);
            let same = POLICIES.iter().filter(|other| other.code == policy.code);
            assert_eq!(same.count(), 1, "{}", policy.code);
        }
        assert_eq!(POLICIES.len(), 26);
    }
}
