//! `type: staging`: the embedded database.

use serde::{Deserialize, Serialize};

use super::{DatabaseKind, Facts, NAMES};
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::each_prop;
use crate::syntax::source::TYPE;
use crate::syntax::{Keys, Shape};

/// The keys of a staging source.
pub static SHAPE: Shape = Shape {
    what: "a staging source",
    doc: "The embedded database: DataFusion over Delta tables in the project's state. Needs no server.",
    with: &[&TYPE, &NAMES],
    keys: &[],
};

/// `type: staging`: it has no settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StagingSource {}

each_prop! { StagingSource { } }

/// Reads the source.
pub(super) fn read(_: &Keys<'_>, _: &mut Diagnostics) -> Option<StagingSource> {
    Some(StagingSource {})
}

impl DatabaseKind for StagingSource {
    fn dialect(&self) -> Dialect {
        Dialect::Staging
    }

    fn address(&self, _: &Facts<'_>) -> Option<Option<String>> {
        None
    }
}
