//! Values that are computed when a step runs: literal, Jinja or Python. Read and analysed here, never evaluated.

mod aliases;
mod each;
mod jinja;
mod lower;
mod prop;
mod pure;
mod python;
mod returns;
mod row_paths;
mod short;
mod template;
mod uses;

pub use each::EachProp;
pub(crate) use each::{each_prop, each_prop_of_variants};
pub use jinja::{Blank, MARKER, blank, is_native_template};
pub use lower::{Lowered, Native, PathStep};
pub use prop::{Code, Prop, computed, entries, has_template, literal, python};
pub use returns::{Returned, ReturnedTable, ReturnedVariable, Returns};
pub use uses::{RowUses, TableUse, Uses};
