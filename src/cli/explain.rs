//! `sequor explain`.

use sequor_planner::{Code, nearest};

use super::Exit;
use crate::error::{Error, ErrorKind, Result};

/// Explains a code, or lists all of them.
pub fn explain(code: Option<&str>) -> Result<Exit> {
    let Some(wanted) = code else {
        for code in Code::ALL {
            crate::report::out(format!("{}  {}", code.as_str(), code.title()));
        }
        return Ok(Exit::Done);
    };
    let found = Code::ALL.iter().find(|c| c.as_str().eq_ignore_ascii_case(wanted));
    let Some(code) = found else {
        let near = nearest(wanted, Code::ALL.iter().map(|c| c.as_str()));
        let error = Error::new(ErrorKind::Project, format!("there is no code `{wanted}`"));
        return Err(match near {
            Some(near) => error.help(format!("did you mean `{near}`? `sequor explain` lists all codes")),
            None => error.help("`sequor explain` lists all codes"),
        });
    };
    crate::report::out(format!(
        "{}: {}\n\n{}",
        code.as_str(),
        code.title(),
        code.explanation().trim()
    ));
    Ok(Exit::Done)
}
