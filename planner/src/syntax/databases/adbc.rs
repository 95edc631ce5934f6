//! `type: adbc`: any database with an ADBC driver.

use serde::{Deserialize, Serialize};

use super::{DatabaseKind, Facts, NAMES};
use crate::diagnostic::Diagnostics;
use crate::dialect::Dialect;
use crate::expr::{Prop, each_prop};
use crate::syntax::hidden::hide_named;
use crate::syntax::source::TYPE;
use crate::syntax::{Form, Key, Keys, Shape};

/// The keys of an adbc source.
pub static SHAPE: Shape = Shape {
    what: "an adbc source",
    doc: "Any database with an ADBC driver.",
    with: &[&TYPE, &NAMES],
    keys: &[
        Key::new(
            "driver",
            Form::Text,
            "The driver: its name (adbc_driver_postgresql), the path of its library or of its manifest.",
        )
        .required(),
        Key::new("entrypoint", Form::Text, "The first function of the library."),
        Key::new("options", Form::Entries, "The driver's own options, like `uri`."),
    ],
};

/// `type: adbc`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdbcSource {
    /// A name, a path or a manifest.
    pub driver: Prop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Prop>,
    /// The driver's own options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Prop>,
}

each_prop! { AdbcSource { driver, entrypoint, options } }

/// Reads the source, its keys already checked.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Option<AdbcSource> {
    Some(AdbcSource {
        entrypoint: keys.prop("entrypoint", d),
        options: keys.prop("options", d),
        driver: keys.prop("driver", d)?,
    })
}

impl DatabaseKind for AdbcSource {
    fn dialect(&self) -> Dialect {
        Dialect::Generic
    }

    /// What a driver's options mean only it knows.
    fn address(&self, _: &Facts<'_>) -> Option<Option<String>> {
        Some(None)
    }

    fn hide_secrets(&mut self) {
        self.options.iter_mut().for_each(hide_named);
    }
}
