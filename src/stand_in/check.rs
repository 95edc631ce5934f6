//! Whether SQL of a real database can be tried: read in its dialect, with functions that the staging database has.

use std::collections::BTreeSet;

use super::names::Names;
use super::sql::translate;
use super::udf;
use crate::error::{Error, ErrorKind, Result};
use crate::staging::{Memory, function_names};

/// The functions that the staging database has.
pub struct Functions(BTreeSet<String>);

impl Functions {
    /// Returns them.
    ///
    /// # Errors
    /// DataFusion's.
    pub fn known() -> Result<Functions> {
        function_names(&Memory::new(None, None)).map(Functions)
    }

    /// # Errors
    /// A statement that can't be tried, and why.
    pub fn check(&self, sql: &str, names: &Names) -> Result<()> {
        let translated = translate(sql, names)?;
        let is_known = |name: &String| self.0.contains(name) || udf::NAMES.contains(&name.as_str());
        let unknown = translated.functions.iter().find(|name| !is_known(name));
        let Some(unknown) = unknown else { return Ok(()) };
        let message = format!("a dry run has no function `{unknown}`");
        let advice = "write it by functions that DataFusion has, or try the steps before it: --exclude ID";
        Err(Error::new(ErrorKind::Sql, message).help(advice))
    }
}
