//! The rows of a side table take their place in a target: what is done, and in which order, for all databases. What one
//! database does in its own way is a method of [`SideTable`].

use async_trait::async_trait;
use sequor_planner::ops::WriteMode;

pub use super::names::{Names, same_or_null};
use super::overlap::{Literal, Overlap, Region, Skip, Writes, changed_error};
use crate::error::{Error, ErrorKind, Result};

/// How rows take their place.
#[derive(Debug, Clone, Copy)]
pub struct Placing<'a> {
    pub mode: &'a WriteMode,
    pub same_keys: SameKeys,
    /// What becomes of rows that the target has, besides what the mode says.
    pub overlap: Option<&'a Overlap>,
}

impl<'a> Placing<'a> {
    /// Returns that of a write mode alone.
    pub fn of(mode: &'a WriteMode, same_keys: SameKeys) -> Placing<'a> {
        Placing {
            mode,
            same_keys,
            overlap: None,
        }
    }

    /// Returns the target's rows that go first.
    pub fn delete(self) -> Option<&'a Region> {
        self.overlap?.delete.as_ref()
    }

    /// Returns where rows stand that are not added when they are there.
    fn skip(self) -> Option<&'a Skip> {
        self.overlap?.skip.as_ref()
    }
}

/// What the target is, once there is room for the side table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It has the rows: the side table took its name.
    Filled,
    /// It is there, without rows.
    Empty,
    /// It is there, with rows that are to be deleted: others depend on it, or it can't be made anew.
    Occupied,
}

/// What becomes of rows of the side table that have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameKeys {
    /// The last one stays.
    KeepLast,
    /// They are refused: which of them counts is not known.
    Refuse,
}

/// A side table that has all its rows, on the connection that filled it: the statements that differ between databases.
///
/// [`prepare`] and [`settle`] call them. They open no transaction: where the database's DDL can be taken back, the caller does
/// so before both, and takes all of it back after an error. Where DDL ends transactions, the caller opens one between the two.
#[async_trait]
pub trait SideTable: Send {
    /// The tables and columns.
    fn names(&self) -> &Names;

    /// Runs a statement; the number of rows it touched.
    async fn run(&mut self, statement: &str) -> Result<u64>;

    /// Whether a query gives any row.
    async fn any(&mut self, query: &str) -> Result<bool>;

    /// Whether the target is there.
    async fn target_exists(&mut self) -> Result<bool>;

    /// Makes the target, which is not there. `key`: its primary key, where the database has such. Where making a table can't be
    /// taken back, it comes with its rows, of which no two have the same key, at the end.
    async fn create_target(&mut self, key: Option<&[String]>) -> Result<Room>;

    /// Makes room for rows that replace all that the target has. `there`: whether the target is there.
    async fn make_room(&mut self, there: bool) -> Result<Room>;

    /// Deletes all but the last of the side table's rows with the same key. Called only when there are such.
    async fn keep_last(&mut self, key: &[String]) -> Result<()>;

    /// Is called before a merge: for an index, statistics, a lock.
    async fn prepare_merge(&mut self, _key: &[String]) -> Result<()> {
        Ok(())
    }

    /// Changes the target's rows that have the key of one in the side table, and adds the others.
    async fn merge(&mut self, key: &[String]) -> Result<()> {
        if let Some(update) = self.names().update(key) {
            self.run(&update).await?;
        }
        let missing = self.names().insert_missing(key);
        self.run(&missing).await.map(|_| ())
    }

    /// A value, as SQL.
    fn literal(&self, value: &Literal) -> String {
        value.plain()
    }

    /// What stands at the end of a query that sees what others have committed since the transaction began.
    fn latest(&self) -> &'static str {
        ""
    }

    /// Whether a column may take texts for one that differ.
    fn folds(&self) -> bool {
        false
    }

    /// A column, quoted, as its texts are compared character by character.
    fn exact(&self, column: &str) -> String {
        column.to_string()
    }

    /// Where a row stands, compared with a value. `column`: quoted.
    fn compared(&self, column: &str, sign: &str, value: &Literal) -> String {
        let column = match value {
            Literal::Exact(_) => self.exact(column),
            _ => column.to_string(),
        };
        format!("{column} {sign} {}", self.literal(value))
    }

    /// Adds the rows of the side table to the target that are like none of its rows.
    async fn insert_new(&mut self, skip: &Skip) -> Result<()> {
        let column = format!("t.{}", (self.names().quote)(&skip.column));
        let from = skip.from.as_ref().map(|from| self.compared(&column, ">=", from));
        let insert = self.names().insert_unlike(skip, from.as_deref(), same_or_null);
        self.run(&insert).await.map(|_| ())
    }

    /// Adds all rows of the side table to the target.
    async fn insert(&mut self) -> Result<()> {
        let insert = self.names().insert();
        self.run(&insert).await.map(|_| ())
    }

    /// Is called before some of the target's rows are deleted.
    ///
    /// # Errors
    /// Foreign keys of other tables that would delete or change their rows with these.
    async fn refuse_cascades(&mut self) -> Result<()> {
        Ok(())
    }

    /// Is called when the rows have replaced others: for what the database does not check itself.
    async fn check_replaced(&mut self) -> Result<()> {
        Ok(())
    }

    /// Drops the side table.
    async fn drop_side(&mut self) -> Result<()> {
        let drop = format!("DROP TABLE {}", self.names().side);
        self.run(&drop).await.map(|_| ())
    }
}

/// Puts the rows of a side table into their place, in the caller's transaction. The side table is gone then.
///
/// # Errors
/// As [`prepare`] and [`settle`].
pub async fn land(side: &mut dyn SideTable, placing: Placing<'_>) -> Result<()> {
    let room = prepare(side, placing).await?;
    settle(side, placing, room).await
}

/// Looks at the rows of a side table, and makes room for them in the target.
///
/// # Errors
/// As [`check`]; the database's own.
pub async fn prepare(side: &mut dyn SideTable, placing: Placing<'_>) -> Result<Room> {
    check(side, placing).await?;
    make_room(side, placing).await
}

/// Looks at the rows of a side table.
///
/// # Errors
/// A column of the key that is null in some row; rows with the same key, where those are refused; the database's own.
pub async fn check(side: &mut dyn SideTable, placing: Placing<'_>) -> Result<()> {
    if let WriteMode::Upsert(key) = placing.mode {
        for name in key {
            let nulls = side.names().nulls(name);
            if side.any(&nulls).await? {
                return Err(null_error(name));
            }
        }
        let duplicates = side.names().duplicates(key);
        if side.any(&duplicates).await? {
            match placing.same_keys {
                SameKeys::KeepLast => side.keep_last(key).await?,
                SameKeys::Refuse => return Err(duplicate_keys_error(key)),
            }
        }
    }
    if let Some(column) = placing.overlap.and_then(Overlap::column) {
        let known = |name: &&String| name.eq_ignore_ascii_case(column);
        let Some(column) = side.names().columns.iter().find(known).cloned() else {
            return Err(not_a_cursor_error(column, &side.names().columns));
        };
        let nulls = side.names().nulls(&column);
        if side.any(&nulls).await? {
            return Err(no_cursor_error(&column));
        }
    }
    if let Some(Skip {
        column,
        from: Some(from),
        ..
    }) = placing.overlap.and_then(|overlap| overlap.leave_out.as_ref())
    {
        let names = side.names();
        let known = names
            .columns
            .iter()
            .find(|name| name.eq_ignore_ascii_case(column));
        let column = names.selected_key(std::slice::from_ref(known.unwrap_or(column)));
        let delete = format!(
            "DELETE FROM {} WHERE {}",
            names.side,
            side.compared(&column, "<", from)
        );
        side.run(&delete).await?;
    }
    if let Some(region) = placing.overlap.and_then(|overlap| overlap.refuse.as_ref()) {
        let conditions = region.conditions(Writes {
            quote: &|name| side.names().selected_key(&[name.to_string()]),
            literal: &|value| side.literal(value),
            exact: &|column| side.exact(column),
            folds: side.folds(),
        });
        for condition in conditions {
            let delete = format!("DELETE FROM {} WHERE {condition}", side.names().side);
            side.run(&delete).await?;
        }
    }
    Ok(())
}

/// Makes room for the rows of a side table in the target.
///
/// # Errors
/// The database's own.
pub async fn make_room(side: &mut dyn SideTable, placing: Placing<'_>) -> Result<Room> {
    let there = side.target_exists().await?;
    let mut room = Room::Empty;
    match placing.mode {
        WriteMode::Replace => room = side.make_room(there).await?,
        WriteMode::Append | WriteMode::ReplaceRange | WriteMode::Upsert(_) if there => {}
        WriteMode::Append | WriteMode::ReplaceRange => room = side.create_target(None).await?,
        WriteMode::Upsert(key) => room = side.create_target(Some(key)).await?,
    }
    if room == Room::Filled {
        return Ok(room);
    }
    match (placing.mode, placing.skip()) {
        (WriteMode::Upsert(key), _) => side.prepare_merge(key).await?,
        (_, Some(skip)) => side.prepare_merge(std::slice::from_ref(&skip.column)).await?,
        _ => {}
    }
    Ok(room)
}

/// Changes the target's rows, where they are not there yet.
///
/// # Errors
/// The database's own.
pub async fn settle(side: &mut dyn SideTable, placing: Placing<'_>, room: Room) -> Result<()> {
    if room == Room::Filled {
        return Ok(());
    }
    change(side, placing, room).await?;
    side.drop_side().await
}

/// The statements that change the target's rows.
///
/// # Errors
/// A range to be replaced that is not told; the database's own.
pub async fn change(side: &mut dyn SideTable, placing: Placing<'_>, room: Room) -> Result<()> {
    if *placing.mode == WriteMode::ReplaceRange && placing.overlap.is_none() {
        return Err(unknown_range());
    }
    if let Some(region) = placing.delete() {
        side.refuse_cascades().await?;
        let conditions = region.conditions(Writes {
            quote: &side.names().quote,
            literal: &|value| side.literal(value),
            exact: &|column| side.exact(column),
            folds: side.folds(),
        });
        for condition in conditions {
            let delete = format!("DELETE FROM {} WHERE {condition}", side.names().target);
            side.run(&delete).await?;
        }
    }
    if let Some(unchanged) = placing.overlap.and_then(|overlap| overlap.unchanged.as_ref()) {
        let names = side.names();
        let changed = unchanged.query((&names.side, &names.target), names.quote);
        let changed = format!("{changed}{}", side.latest());
        if side.any(&changed).await? {
            return Err(changed_error());
        }
    }
    if let WriteMode::Upsert(key) = placing.mode {
        return side.merge(key).await;
    }
    if room == Room::Occupied {
        let empty = format!("DELETE FROM {}", side.names().target);
        side.run(&empty).await?;
    }
    match placing.skip() {
        Some(skip) => side.insert_new(skip).await?,
        None => side.insert().await?,
    }
    match placing.mode.replaces() {
        true => side.check_replaced().await,
        false => Ok(()),
    }
}

/// Returns what is said of rows that stand nowhere.
pub fn no_cursor_error(column: &str) -> Error {
    let message = format!("a row has no cursor `{column}`");
    Error::new(ErrorKind::Data, message)
        .help("rows without one are in no range, and would come again with each run: leave them out, or upsert by a `primary_key`")
}

/// Returns what is said of rows that have not the column which says where they stand.
pub fn not_a_cursor_error(column: &str, columns: &[String]) -> Error {
    let message = format!("the cursor `{column}` is no column of the rows");
    Error::new(ErrorKind::Project, message).help(format!("they have {}", columns.join(", ")))
}

/// Returns what is said of rows that are to replace those of a range which nobody told.
pub fn unknown_range() -> Error {
    Error::new(
        ErrorKind::Internal,
        "rows replace those of a range, and which one is not known",
    )
}

/// Returns what is said of rows with the same key, in what a query gives.
pub fn duplicate_keys_error(key: &[String]) -> Error {
    let message = format!(
        "the query gives several rows with the same `{}`",
        key.join("`, `")
    );
    Error::new(ErrorKind::Data, message)
        .help("aggregate, or pick one row of each key by `select distinct on`")
}

/// Returns what is said of a key's column that is null.
pub fn null_error(name: &str) -> Error {
    let message = format!("column `{name}` of the primary key is null in some rows");
    Error::new(ErrorKind::Data, message).help("leave those rows out, or choose another `primary_key`")
}
