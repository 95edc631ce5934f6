//! The key of an upsert.

use sequor_planner::ops::WriteMode;

use crate::error::{Error, ErrorKind, Result};

/// Gives the columns of an upsert's key their names among `columns`, which may differ in case, and returns them; none for
/// other write modes.
///
/// # Errors
/// One that is not among `columns`.
pub fn upsert_key<'m, 'c>(
    mode: &'m mut WriteMode,
    columns: impl Iterator<Item = &'c str> + Clone,
) -> Result<&'m [String]> {
    let WriteMode::Upsert(key) = mode else {
        return Ok(&[]);
    };
    for name in key.iter_mut() {
        if columns.clone().any(|known| known == name.as_str()) {
            continue;
        }
        match columns.clone().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => *name = known.to_string(),
            None => {
                let message = format!("`primary_key` names `{name}`, which is not one of the columns");
                let near = sequor_planner::did_you_mean(name, "columns", columns);
                return Err(Error::new(ErrorKind::Data, message).help(near.unwrap_or_default()));
            }
        }
    }
    Ok(key)
}
