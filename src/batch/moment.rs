//! Times that say how new a row is: what matters is the moment, and whether another one is older.

use super::cell::{Cell, offset};
use super::clock::Clock;

/// The length of a text up to its microseconds.
const WITH_MICROS: usize = "2024-01-31T10:00:00.123456".len();

/// Returns what a column of moments takes in place of a time, where it is finer than a microsecond: the rest is cut off, so that no
/// row of the same moment lies before it. `zoned`: whether the column holds moments, and no times of a clock.
///
/// # Errors
/// Why it is none: it is written in another zone than UTC, and the column has none.
pub fn moment(cell: &Cell<'_>, zoned: bool) -> Result<Option<Cell<'static>>, &'static str> {
    if !zoned && offset(cell).is_some_and(|seconds| seconds != 0) {
        return Err(": the column has no zone, and so would not know which moment it is");
    }
    let fine = match cell {
        Cell::Text(text) if text.len() > WITH_MICROS => Clock::read_down(text.trim()),
        _ => None,
    };
    Ok(fine.map(|clock| Cell::Clock(clock.micros, clock.offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zoned: bool) -> String {
        match moment(&Cell::Text(text.into()), zoned) {
            Ok(Some(cell)) => super::super::cell::text(&cell).into_owned(),
            Ok(None) => text.to_string(),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn moments_are_cut_and_never_rounded_up() {
        assert_eq!(
            read("2024-01-31T10:00:00.1234567Z", true),
            "2024-01-31T10:00:00.123456Z"
        );
        assert_eq!(
            read("2024-01-31T10:00:00.123456Z", true),
            "2024-01-31T10:00:00.123456Z"
        );
        assert_eq!(read("2024-01-31T10:00:00Z", false), "2024-01-31T10:00:00Z");
        assert!(read("2024-01-31T10:00:00-05:00", false).contains("has no zone"));
        assert_eq!(
            read("2024-01-31T10:00:00-05:00", true),
            "2024-01-31T10:00:00-05:00"
        );
        assert_eq!(read("soon", false), "soon");
    }
}
