//! The tables of the state, and how those of an earlier version become those of this one.

use super::home::{Durability, Home, Statement, Written};
use super::postgres::turn;
use crate::error::{Error, ErrorKind, Result};

/// What makes the tables of each version from those of the one before it. A line that was released is not changed: the next
/// version is a new one. `{bytes}` stands for the type that holds bytes.
const VERSIONS: &[&[&str]] = &[&[
    "CREATE TABLE @meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    // A run; the plan it carries out stands apart, since many runs have the same.
    "CREATE TABLE @runs (
        run TEXT PRIMARY KEY, project TEXT NOT NULL, flow TEXT NOT NULL, status TEXT NOT NULL, attempt BIGINT NOT NULL,
        started TEXT NOT NULL, ended TEXT, seconds DOUBLE PRECISION, environment TEXT, program TEXT NOT NULL, plan TEXT NOT NULL,
        given TEXT NOT NULL, kept TEXT NOT NULL, owner TEXT NOT NULL, beat BIGINT NOT NULL, error_code TEXT, error TEXT)",
    "CREATE INDEX @@runs_of_flow ON @runs (project, flow, run)",
    "CREATE TABLE @plans (plan TEXT PRIMARY KEY, text TEXT NOT NULL)",
    "CREATE TABLE @steps (
        run TEXT NOT NULL, attempt BIGINT NOT NULL, step TEXT NOT NULL, number BIGINT NOT NULL, op TEXT NOT NULL, status TEXT NOT NULL,
        started TEXT NOT NULL, seconds DOUBLE PRECISION NOT NULL, times BIGINT NOT NULL, rows_written BIGINT NOT NULL,
        requests BIGINT NOT NULL, retries BIGINT NOT NULL, bytes BIGINT NOT NULL, waited DOUBLE PRECISION NOT NULL,
        rejects BIGINT NOT NULL, error_code TEXT, error TEXT, because TEXT, PRIMARY KEY (run, attempt, step))",
    "CREATE TABLE @events (run TEXT NOT NULL, number BIGINT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (run, number))",
    // How far a run is: what is over, what was decided, and the variables it stands at.
    "CREATE TABLE @journal (run TEXT NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (run, step, kind))",
    "CREATE TABLE @locals (run TEXT NOT NULL, frame TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (run, frame, name))",
    "CREATE TABLE @variables (project TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (project, name))",
    "CREATE TABLE @tokens (project TEXT NOT NULL, name TEXT NOT NULL, token {bytes} NOT NULL, PRIMARY KEY (project, name))",
    // What runs that are under way write.
    "CREATE TABLE @locks (run TEXT PRIMARY KEY, project TEXT NOT NULL, flow TEXT NOT NULL, since TEXT NOT NULL, owner TEXT NOT NULL,
        beat BIGINT NOT NULL, writes TEXT NOT NULL)",
    // What runs keep to go on with, where they keep no files.
    "CREATE TABLE @chunks (file TEXT NOT NULL, number BIGINT NOT NULL, checksum BIGINT NOT NULL, chunk {bytes} NOT NULL,
        PRIMARY KEY (file, number))",
    "CREATE TABLE @watermarks (file TEXT PRIMARY KEY, value BIGINT NOT NULL, lease BIGINT NOT NULL, boot TEXT NOT NULL)",
    // Rows that may have been sent, or not: nobody knows.
    "CREATE TABLE @doubts (run TEXT NOT NULL, step TEXT NOT NULL, number BIGINT NOT NULL, data TEXT NOT NULL,
        PRIMARY KEY (run, step, number))",
    "CREATE TABLE @marks (project TEXT NOT NULL, name TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (project, name))",
]];

/// The version of the tables that this program makes.
pub const VERSION: usize = VERSIONS.len();

/// Makes the tables of this version.
///
/// # Errors
/// Tables of a later version: they are left as they are.
pub async fn migrate(home: &dyn Home) -> Result<()> {
    loop {
        let found = version(home).await?;
        if found > VERSION {
            let message = format!(
                "the state in {} was made by a later version of the program (its form is {found}, and this one knows {VERSION})",
                home.shown()
            );
            return Err(Error::new(ErrorKind::State, message).help("update the program"));
        }
        if found == VERSION {
            return Ok(());
        }
        step(home, found).await?;
    }
}

async fn version(home: &dyn Home) -> Result<usize> {
    if !home.has_table("meta").await? {
        return Ok(0);
    }
    let found = Statement::new("SELECT value FROM @meta WHERE key = 'version'", []);
    let rows = home.read(&found).await?;
    let text = rows.first().and_then(|row| row.first()).map_or("0", |v| v.text());
    text.parse().map_err(|_| {
        let message = format!("the state in {} has the version `{text}`", home.shown());
        Error::new(ErrorKind::State, message)
    })
}

/// Takes the tables from a version to the next, all of them or none.
async fn step(home: &dyn Home, from: usize) -> Result<()> {
    let mut statements = Vec::new();
    if home.is_shared() {
        statements.push(turn());
    }
    if from > 0 {
        // Another program that was here meanwhile has done the work.
        let claimed = Statement::new(
            "UPDATE @meta SET value = $1 WHERE key = 'version' AND value = $2",
            [(from + 1).to_string().into(), from.to_string().into()],
        );
        statements.push(claimed.guarding());
    }
    for sql in VERSIONS[from] {
        // The name of an index is not qualified.
        let sql = sql.replace("{bytes}", home.bytes_type()).replace("@@", "");
        statements.push(Statement::new(sql, []));
    }
    if from == 0 {
        let first = Statement::new("INSERT INTO @meta (key, value) VALUES ('version', '1')", []);
        statements.push(first);
    }
    match home.write("schema", &statements, Durability::Machine).await {
        Ok(Written::All(_) | Written::Refused(_)) => Ok(()),
        // Two programs that begin at the same time both make the first tables: one of them is late.
        Err(error) => match version(home).await {
            Ok(now) if now > from => Ok(()),
            _ => Err(error),
        },
    }
}
