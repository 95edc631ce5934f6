//! What the columns are called that come from the data, and how deep they are taken from.

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::syntax::{Form, Key, Keys, Shape};

/// What becomes of the fields of rows before they are columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshape {
    /// `createdAt` becomes `created_at`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snake_case: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flatten: Option<Flatten>,
}

/// How objects inside of rows become columns of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flatten {
    /// What stands between the names: `user_login`.
    pub separator: String,
    /// How many objects deep; what is deeper stays JSON.
    pub max_depth: u64,
}

impl Reshape {
    /// Tells whether the rows stay as they are.
    pub fn is_default(&self) -> bool {
        self == &Reshape::default()
    }
}

/// The keys that say what becomes of the fields.
pub static RESHAPE: Shape = Shape {
    what: "fields",
    doc: "What becomes of fields before they are columns.",
    with: &[],
    keys: &[
        Key::new(
            "names",
            Form::Choice(&["as_given", "snake_case"]),
            "What columns that come from the data are called: `as_given`, or `snake_case`: `createdAt` becomes `created_at`.",
        ).default("`as_given`"),
        Key::new(
            "flatten",
            Form::Map(&FLATTEN),
            "Objects in the rows become columns of their own, when columns come from the data: `{user: {login: x}}` becomes `user_login`.",
        ),
    ],
};

static FLATTEN: Shape = Shape {
    what: "flatten",
    doc: "How objects in the rows become columns.",
    with: &[],
    keys: &[
        Key::new("separator", Form::Label, "What stands between the names.").default("`_`"),
        Key::new(
            "max_depth",
            Form::Count,
            "How many objects deep; what is deeper stays JSON.",
        )
        .default("`2`"),
    ],
};

/// Reads `names` and `flatten`.
pub fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Reshape {
    let flatten = keys.node("flatten").and_then(|node| {
        let keys = Keys::new(node, &FLATTEN, d)?;
        Some(Flatten {
            separator: keys.label("separator", d).unwrap_or_else(|| "_".into()),
            max_depth: keys.count("max_depth", d).unwrap_or(2),
        })
    });
    if keys.has("columns") || keys.has("model") {
        for key in ["names", "flatten"] {
            if keys.has(key) {
                let message =
                    format!("`{key}` is for columns that come from the data, and these are declared");
                d.error(Code::BadValue, keys.place_of(key).cloned(), message).help(
                    "leave `columns` out, or say where a column's value is: `columns: {author: {type: text, path: user.login}}`",
                );
            }
        }
    }
    let names = [("as_given", false), ("snake_case", true)];
    Reshape {
        snake_case: keys.pick("names", &names, d).unwrap_or(false),
        flatten,
    }
}
