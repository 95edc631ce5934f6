//! The rows of a side table take their place in a target: what is done, and in which order, for all databases. What one
//! database does in its own way is a method of [`SideTable`].

use async_trait::async_trait;
use sequor_planner::ops::WriteMode;

use super::overlap::{Literal, Overlap, Region, Skip, Writes};
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

/// A side table and its target, as SQL.
#[derive(Clone)]
pub struct Names {
    /// The side table, quoted.
    pub side: String,
    /// The target, quoted.
    pub target: String,
    /// The columns' names, as the target has them.
    pub columns: Vec<String>,
    /// What is selected from the side table for each column.
    pub selected: Vec<String>,
    /// Writes a name as a quoted identifier.
    pub quote: fn(&str) -> String,
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

    /// Adds the rows of the side table to the target that are like none of its rows.
    async fn insert_new(&mut self, skip: &Skip) -> Result<()> {
        let from = skip.from.as_ref().map(|from| self.literal(from));
        let insert = self
            .names()
            .insert_unlike(&skip.column, from.as_deref(), same_or_null);
        self.run(&insert).await.map(|_| ())
    }

    /// Adds all rows of the side table to the target.
    async fn insert(&mut self) -> Result<()> {
        let insert = self.names().insert();
        self.run(&insert).await.map(|_| ())
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
        let nulls = side.names().nulls(&column.to_string());
        if side.any(&nulls).await? {
            return Err(no_cursor_error(column));
        }
    }
    if let Some(Skip {
        column,
        from: Some(from),
    }) = placing.overlap.and_then(|overlap| overlap.leave_out.as_ref())
    {
        let names = side.names();
        let column = names.selected_key(std::slice::from_ref(column));
        let delete = format!(
            "DELETE FROM {} WHERE {column} < {}",
            names.side,
            side.literal(from)
        );
        side.run(&delete).await?;
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
        let conditions = region.conditions(Writes {
            quote: &side.names().quote,
            literal: &|value| side.literal(value),
        });
        for condition in conditions {
            let delete = format!("DELETE FROM {} WHERE {condition}", side.names().target);
            side.run(&delete).await?;
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

/// Returns what is said of rows that are to replace those of a range which nobody told.
pub fn unknown_range() -> Error {
    Error::new(
        ErrorKind::Internal,
        "rows replace those of a range, and which one is not known",
    )
}

impl Names {
    /// Names whose columns are selected as they are.
    pub fn plain(side: String, target: String, columns: Vec<String>, quote: fn(&str) -> String) -> Names {
        Names {
            side,
            target,
            selected: columns.iter().map(|name| quote(name)).collect(),
            columns,
            quote,
        }
    }

    /// What is selected from the side table, under the columns' names.
    pub fn named(&self) -> String {
        let both = self.columns.iter().zip(&self.selected);
        let named: Vec<String> = both
            .map(|(name, selected)| format!("{selected} AS {}", (self.quote)(name)))
            .collect();
        named.join(", ")
    }

    /// What leaves only the last of the side table's rows with the same key in a query. `row`: what tells their order.
    pub fn last_of_each(&self, key: &[String], row: &str) -> String {
        format!(
            " QUALIFY row_number() OVER (PARTITION BY {} ORDER BY {row} DESC) = 1",
            self.selected_key(key)
        )
    }

    /// Columns, quoted, with commas.
    pub fn list(&self, names: &[String]) -> String {
        let quoted: Vec<String> = names.iter().map(|name| (self.quote)(name)).collect();
        quoted.join(", ")
    }

    /// Returns what is selected for the columns of a key, with commas.
    pub fn selected_key(&self, key: &[String]) -> String {
        let of = |name: &String| {
            let at = self.columns.iter().position(|column| column == name);
            at.and_then(|at| self.selected.get(at)).map(String::as_str)
        };
        let parts: Vec<&str> = key.iter().filter_map(of).collect();
        parts.join(", ")
    }

    /// `a.key = b.key`, for each column of the key.
    pub fn same(&self, key: &[String], a: &str, b: &str) -> String {
        let same = key.iter().map(|name| {
            let name = (self.quote)(name);
            format!("{a}.{name} = {b}.{name}")
        });
        same.collect::<Vec<_>>().join(" AND ")
    }

    /// Returns the columns that are not in the key, each with what is selected for it.
    pub fn others<'n>(&'n self, key: &'n [String]) -> impl Iterator<Item = (&'n str, &'n str)> {
        let all = self.columns.iter().zip(&self.selected);
        let others = all.filter(|(name, _)| !key.contains(name));
        others.map(|(name, selected)| (name.as_str(), selected.as_str()))
    }

    /// Gives a row when several of the side table have the same key.
    pub fn duplicates(&self, key: &[String]) -> String {
        let (key, side) = (self.selected_key(key), &self.side);
        format!("SELECT {key} FROM {side} GROUP BY {key} HAVING count(*) > 1 LIMIT 1")
    }

    /// Gives a row when a column of the key is null in one.
    pub fn nulls(&self, name: &String) -> String {
        let name = self.selected_key(std::slice::from_ref(name));
        format!("SELECT 1 FROM {} WHERE {name} IS NULL LIMIT 1", self.side)
    }

    /// Of the side table's rows with the same key, only the last stays. `row`: what tells their order, of a type that has
    /// a maximum.
    pub fn keep_last(&self, key: &[String], row: &str) -> String {
        let (side, key) = (&self.side, self.list(key));
        format!("DELETE FROM {side} WHERE {row} NOT IN (SELECT max({row}) FROM {side} GROUP BY {key})")
    }

    /// Adds all rows.
    pub fn insert(&self) -> String {
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.target,
            self.list(&self.columns),
            self.selected.join(", "),
            self.side
        )
    }

    /// Changes the target's rows that have the key of one in the side table; none when there is nothing to change.
    ///
    /// By UPDATE and INSERT rather than ON CONFLICT: the target need not have a unique index on the key, and rows that
    /// others refer to keep their identity.
    pub fn update(&self, key: &[String]) -> Option<String> {
        let others: Vec<String> = self
            .others(key)
            .map(|(name, _)| format!("{0} = s.{0}", (self.quote)(name)))
            .collect();
        (!others.is_empty()).then(|| {
            format!(
                "UPDATE {} AS t SET {} FROM {} AS s WHERE {}",
                self.target,
                others.join(", "),
                self.side,
                self.same(key, "t", "s")
            )
        })
    }

    /// Takes those rows out of the side table whose key the target has: the others are to be added. By IN, which every
    /// database carries out by hashing or sorting, indexes or none.
    pub fn drop_known(&self, key: &[String]) -> String {
        let (side, target, list) = (&self.side, &self.target, self.list(key));
        let columns = match key {
            [_] => list.clone(),
            _ => format!("({list})"),
        };
        format!("DELETE FROM {side} WHERE {columns} IN (SELECT {list} FROM {target})")
    }

    /// Tells whether rows of both are alike in every column, and stand at the same place. `equal` compares a column of both.
    pub fn alike(&self, column: &str, (a, b): (&str, &str), equal: impl Fn(&str, &str) -> String) -> String {
        let at = (self.quote)(column);
        let others = self.columns.iter().filter(|name| *name != column);
        let others = others.map(|name| {
            let name = (self.quote)(name);
            equal(&format!("{a}.{name}"), &format!("{b}.{name}"))
        });
        let all: Vec<String> = std::iter::once(format!("{a}.{at} = {b}.{at}"))
            .chain(others)
            .collect();
        all.join(" AND ")
    }

    /// Adds the rows that are like none of the target's from `from` on. `column` says where a row stands; `equal` compares a
    /// column of both.
    pub fn insert_unlike(
        &self,
        column: &str,
        from: Option<&str>,
        equal: impl Fn(&str, &str) -> String,
    ) -> String {
        let from = from.map_or_else(String::new, |from| {
            format!(" AND t.{} >= {from}", (self.quote)(column))
        });
        format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM (SELECT {named} FROM {side}) s \
             WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {alike}{from})",
            target = self.target,
            columns = self.list(&self.columns),
            named = self.named(),
            side = self.side,
            alike = self.alike(column, ("t", "s"), equal),
        )
    }

    /// Adds the rows whose key the target does not have.
    pub fn insert_missing(&self, key: &[String]) -> String {
        format!(
            "INSERT INTO {target} ({columns}) SELECT {selected} FROM {side} s \
             WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {same})",
            columns = self.list(&self.columns),
            selected = self.selected.join(", "),
            target = self.target,
            side = self.side,
            same = self.same(key, "t", "s")
        )
    }
}

/// Tells whether two values are the same, or both null.
pub fn same_or_null(a: &str, b: &str) -> String {
    format!("({a} = {b} OR ({a} IS NULL AND {b} IS NULL))")
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
