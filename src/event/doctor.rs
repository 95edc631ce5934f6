//! What was found about a project and what it needs.

use serde::Serialize;

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What was checked: `project`, `source warehouse`.
    pub name: String,
    pub status: CheckStatus,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Ok,
    /// It may be wrong, or could not be told.
    Warning,
    Failed,
}

impl Check {
    /// Returns what is as it must be.
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Check {
        Check {
            name: name.into(),
            status: CheckStatus::Ok,
            detail: detail.into(),
            fix: None,
        }
    }

    /// Returns what may be wrong, with what to do about it.
    pub fn warning(name: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Check {
        Check {
            status: CheckStatus::Warning,
            fix: Some(fix.into()),
            ..Check::ok(name, detail)
        }
    }

    /// Returns what is wrong, with what to do about it.
    pub fn failed(name: impl Into<String>, detail: impl Into<String>, fix: Option<String>) -> Check {
        Check {
            status: CheckStatus::Failed,
            fix,
            ..Check::ok(name, detail)
        }
    }
}
