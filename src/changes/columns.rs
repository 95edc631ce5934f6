//! The columns of rows that are compared with what was sent.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use sequor_planner::did_you_mean;

use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::Database;

/// What the names begin with of columns that no user has.
const OWN: &str = "_sequor_";

/// A column of the rows that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Its name, as the database has it.
    pub name: String,
    /// Whether it holds texts, or what is read as one.
    pub is_text: bool,
    pub is_key: bool,
    pub is_compared: bool,
    /// Whether the snapshot has no such column yet: null was sent.
    pub is_lacking: bool,
}

/// Which columns of rows are looked at, as a flow names them.
pub struct Wanted<'w> {
    pub key: &'w [String],
    /// The columns that are kept of what is sent; none: all.
    pub kept: Option<&'w BTreeSet<String>>,
    /// The columns that are compared; none: all.
    pub compared: Option<&'w BTreeSet<String>>,
}

/// Finds the columns of some rows. `rows`: what stands behind FROM.
///
/// # Errors
/// The database's; a name that is none of its columns.
pub async fn columns_of(database: &dyn Database, rows: &str, wanted: &Wanted<'_>) -> Result<Vec<Compared>> {
    let found = database
        .query(&format!("SELECT * FROM {rows} WHERE 1 = 0"))
        .await?;
    let fields = found.schema.fields().clone();
    let twice = fields.iter().enumerate().find(|(at, field)| {
        let before = fields.iter().take(*at);
        before.into_iter().any(|other| other.name() == field.name())
    });
    if let Some((_, field)) = twice {
        let message = format!("two columns of the rows are called `{}`", field.name());
        return Err(
            Error::new(ErrorKind::Data, message).help("name one of them otherwise in the `query`, by `as`")
        );
    }
    let place = |name: &String| {
        let exact = fields.iter().position(|field| field.name() == name);
        let place = exact.or_else(|| {
            fields
                .iter()
                .position(|field| field.name().eq_ignore_ascii_case(name))
        });
        place.ok_or_else(|| {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            let message = format!("the rows have no column `{name}`");
            let near = did_you_mean(name, "columns", names.iter().copied());
            Error::new(ErrorKind::Data, message)
                .help(near.unwrap_or_else(|| format!("they have {}", names.join(", "))))
        })
    };
    let places =
        |names: &mut dyn Iterator<Item = &String>| names.map(place).collect::<Result<BTreeSet<usize>>>();
    let key = places(&mut wanted.key.iter())?;
    let all = || (0..fields.len()).collect();
    let of = |names: Option<&BTreeSet<String>>| match names {
        None => Ok(all()),
        Some(names) => places(&mut names.iter()),
    };
    let (kept, compared) = (of(wanted.kept)?, of(wanted.compared)?);
    let each = fields.iter().enumerate();
    let columns = each.filter(|(at, field)| {
        let is_looked_at = key.contains(at) || compared.contains(at);
        is_looked_at || (kept.contains(at) && !is_list(field.data_type()))
    });
    let columns: Vec<_> = columns.collect();
    let is_own = |name: &str| {
        name.get(..OWN.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(OWN))
    };
    if let Some((_, field)) = columns.iter().find(|(_, field)| is_own(field.name())) {
        let message = format!(
            "column `{}` of the rows has a name that begins as those do by which the snapshot keeps what became of a row: nothing was sent",
            field.name()
        );
        return Err(Error::new(ErrorKind::Data, message)
            .help("give it another name by a `query`, or leave it out there"));
    }
    // What is compared is kept in a table, and not every database keeps lists.
    if let Some((_, field)) = columns.iter().find(|(_, field)| is_list(field.data_type())) {
        let message = format!(
            "column `{}` is a list, which can't be compared with what was sent",
            field.name()
        );
        return Err(Error::new(ErrorKind::Data, message)
            .help("read another column, or make a text of it by a `query`"));
    }
    Ok(columns
        .into_iter()
        .map(|(at, field)| Compared {
            name: field.name().clone(),
            // Decimals of any precision travel as texts, and are compared as numbers.
            is_text: Logical::of(field) != Logical::Numeric
                && matches!(
                    field.data_type(),
                    DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
                ),
            is_key: key.contains(&at),
            is_compared: compared.contains(&at) && !key.contains(&at),
            is_lacking: false,
        })
        .collect())
}

fn is_list(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Map(..)
    )
}
