//! Paths into JSON, as databases write them: `$.a.b[0]`, `{a,b,0}`, `a.b`.

use sqlparser::ast::{Expr, JsonPath, JsonPathElem};

use super::tree::{literal, number, text};

/// The steps of a path that begins with `$`; of another text, the text as a name.
///
/// # Errors
/// A path with something else in it.
pub fn dollar(path: &Expr) -> Result<Vec<Expr>, String> {
    let Some(written) = literal(path) else {
        return Ok(vec![path.clone()]);
    };
    match written.strip_prefix('$') {
        Some(rest) => steps(rest, written),
        None => Ok(vec![text(written)]),
    }
}

/// The steps of `a.b[0]`.
///
/// # Errors
/// A path with something else in it.
pub fn dotted(path: &Expr) -> Result<Vec<Expr>, String> {
    match literal(path) {
        Some(written) => steps(&format!(".{written}"), written),
        None => Err("a path that is no text can't be tried in a dry run".into()),
    }
}

fn steps(mut rest: &str, whole: &str) -> Result<Vec<Expr>, String> {
    let unknown = || format!("the path `{whole}` into JSON can't be tried in a dry run");
    let mut found = Vec::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (index, behind) = inside.split_once(']').ok_or_else(unknown)?;
            match index.parse::<u32>() {
                Ok(_) => found.push(number(index)),
                Err(_) => found.push(text(index.trim_matches(['"', '\'']))),
            }
            if index.contains(['*', '#', '-']) {
                return Err(unknown());
            }
            rest = behind;
        } else if let Some(quoted) = rest.strip_prefix(".\"") {
            let (name, behind) = quoted.split_once('"').ok_or_else(unknown)?;
            found.push(text(name));
            rest = behind;
        } else if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, behind) = name.split_at(end);
            if name.is_empty() || name.contains(['*', '#']) {
                return Err(unknown());
            }
            found.push(text(name));
            rest = behind;
        } else {
            return Err(unknown());
        }
    }
    Ok(found)
}

/// The steps of PostgreSQL's `{a,b,0}`.
///
/// # Errors
/// A path that is no literal.
pub fn braced(path: &Expr) -> Result<Vec<Expr>, String> {
    let unknown = || "a path into JSON that is no text can't be tried in a dry run".to_string();
    let written = literal(path).ok_or_else(unknown)?;
    let inside = written.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let inside =
        inside.ok_or_else(|| format!("the path `{written}` into JSON can't be tried in a dry run"))?;
    let step = |step: &str| match step.parse::<u32>() {
        Ok(_) => number(step),
        Err(_) => text(step.trim_matches('"')),
    };
    Ok(inside
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(step)
        .collect())
}

/// The steps of Snowflake's `:a.b[0]`.
pub fn colon(path: &JsonPath) -> Vec<Expr> {
    let step = |element: &JsonPathElem| match element {
        JsonPathElem::Dot { key, .. } => text(key),
        JsonPathElem::Bracket { key } | JsonPathElem::ColonBracket { key } => key.clone(),
    };
    path.path.iter().map(step).collect()
}
