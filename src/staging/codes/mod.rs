//! Grouping text by the codes of Parquet's dictionaries.
//!
//! A text column with few different values is stored in Parquet as a dictionary and, for each row, the number of its
//! value. DataFusion reads such a column as texts and hashes the text of each row to find its group; here the column
//! stays numbers until the groups are known: [`find`] takes the aggregates it can be done for, [`scan`] reads their
//! files that way, [`groups`] gives each value its group once per dictionary, and [`aggregate`] adds the rows up.

mod aggregate;
mod find;
mod groups;
mod scan;

pub use find::by_codes;
