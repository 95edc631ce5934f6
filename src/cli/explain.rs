//! `sequor explain`.

use sequor_planner::{Code, nearest};

use crate::error::{Error, ErrorKind, Exit, POLICIES, Result};

/// A code of the compiler's findings, or of the errors of runs.
struct Known {
    code: &'static str,
    title: &'static str,
    explanation: &'static str,
}

fn all() -> Vec<Known> {
    let findings = Code::ALL.iter().map(|code| Known {
        code: code.as_str(),
        title: code.title(),
        explanation: code.explanation(),
    });
    let errors = POLICIES.iter().map(|policy| Known {
        code: policy.code,
        title: policy.title,
        explanation: policy.explanation,
    });
    findings.chain(errors).collect()
}

/// Explains a code, or lists all of them.
pub fn explain(code: Option<&str>) -> Result<Exit> {
    let all = all();
    let Some(wanted) = code else {
        for known in &all {
            crate::report::out(format!("{}  {}", known.code, known.title));
        }
        return Ok(Exit::Done);
    };
    let Some(known) = all.iter().find(|known| known.code.eq_ignore_ascii_case(wanted)) else {
        let near = nearest(wanted, all.iter().map(|known| known.code));
        let error = Error::new(ErrorKind::Project, format!("there is no code `{wanted}`"));
        return Err(match near {
            Some(near) => error.help(format!("did you mean `{near}`? `sequor explain` lists all codes")),
            None => error.help("`sequor explain` lists all codes"),
        });
    };
    crate::report::out(format!(
        "{}: {}\n\n{}",
        known.code,
        known.title,
        known.explanation.trim()
    ));
    Ok(Exit::Done)
}
