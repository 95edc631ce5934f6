//! Side tables into their places, all at once as far as MySQL can: what changes rows is one transaction, and what replaces tables
//! is one RENAME, which ends it. All that can fail comes before.

use sqlx::MySqlConnection;

use super::side::MySqlSide;
use super::sql::{quote, quoted, run, texts};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::landing::{Names, Placing, Room, change, prepare};
use crate::sources::transaction::about;

/// A side table that has all its rows.
pub struct Waiting<'a> {
    pub side: &'a TableName,
    pub target: &'a TableName,
    pub columns: &'a [String],
    pub placing: Placing<'a>,
    /// Whether it has the column [`super::side::ROW`] besides.
    pub numbered: bool,
}

impl Waiting<'_> {
    fn rows<'a>(&'a self, connection: &'a mut MySqlConnection) -> MySqlSide<'a> {
        let (side, target) = (quoted(self.side), quoted(self.target));
        MySqlSide {
            connection,
            side: self.side,
            target: self.target,
            names: Names::plain(side, target, self.columns.to_vec(), quote),
            numbered: self.numbered,
            renames: Vec::new(),
            left: Vec::new(),
        }
    }
}

/// Puts the rows of side tables into their places. The side tables are gone then, after errors too.
///
/// Of several that write the same table, one goes after the other: two would both add a key that neither finds, or both make
/// the table.
pub async fn place(connection: &mut MySqlConnection, tables: &[Waiting<'_>]) -> Result<()> {
    // In one order, whoever writes them: two would wait for each other.
    let mut turns: Vec<String> = tables.iter().map(|table| turn(table.target)).collect();
    turns.sort();
    turns.dedup();
    let shown: Vec<String> = tables.iter().map(|table| table.target.to_string()).collect();
    for turn in &turns {
        take(connection, turn, &shown.join("`, `")).await?;
    }
    let mut left: Vec<String> = tables.iter().map(|table| quoted(table.side)).collect();
    let done = in_turn(connection, tables, &mut left).await;
    let dropped = run(connection, &format!("DROP TABLE IF EXISTS {}", left.join(", "))).await;
    for turn in &turns {
        release(connection, turn).await;
    }
    done?;
    dropped.map(|_| ())
}

/// Waits until no program of ours writes a table.
pub async fn wait_for_writers(connection: &mut MySqlConnection, target: &TableName) -> Result<()> {
    let turn = turn(target);
    take(connection, &turn, &target.to_string()).await?;
    release(connection, &turn).await;
    Ok(())
}

/// The name of the lock of a table.
fn turn(target: &TableName) -> String {
    format!("sequor:{:x}", hash(&quoted(target)))
}

async fn take(connection: &mut MySqlConnection, turn: &str, shown: &str) -> Result<()> {
    let lock = "SELECT CAST(COALESCE(GET_LOCK(?, 3600), 0) AS CHAR)";
    let got = texts(connection, lock, &[Some(turn)]).await?;
    if got.first().map(String::as_str) == Some("1") {
        return Ok(());
    }
    let message = format!("another run has been writing `{shown}` for an hour");
    Err(Error::new(ErrorKind::Timeout, message))
}

async fn release(connection: &mut MySqlConnection, turn: &str) {
    // It ends with the connection, too.
    let release = "SELECT CAST(RELEASE_LOCK(?) AS CHAR)";
    let _ = texts(connection, release, &[Some(turn)]).await;
}

async fn in_turn(
    connection: &mut MySqlConnection,
    tables: &[Waiting<'_>],
    left: &mut Vec<String>,
) -> Result<()> {
    let (mut rooms, mut renames) = (Vec::with_capacity(tables.len()), Vec::new());
    for table in tables {
        let mut rows = table.rows(connection);
        let prepared = prepare(&mut rows, table.placing).await;
        left.append(&mut rows.left);
        renames.append(&mut rows.renames);
        rooms.push(prepared.map_err(about(table.target))?);
    }
    run(connection, "START TRANSACTION").await?;
    for (table, room) in tables.iter().zip(rooms) {
        if room == Room::Filled {
            continue;
        }
        let changed = change(&mut table.rows(connection), table.placing, room).await;
        if let Err(error) = changed {
            let _ = run(connection, "ROLLBACK").await;
            return Err(about(table.target)(error));
        }
    }
    match renames.is_empty() {
        true => run(connection, "COMMIT").await?,
        // It commits what is before it.
        false => run(connection, &format!("RENAME TABLE {}", renames.join(", "))).await?,
    };
    Ok(())
}

/// A number for a name: names of locks have 64 characters at most.
fn hash(name: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
