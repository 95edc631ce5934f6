//! Columns get other types: SQLite has no statement for it, and so the table is made anew, with its rows and its key.

use sqlx::SqliteConnection;

use super::side::{literal, quoted, run, schema, texts, transaction};
use crate::batch::column::Column;
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::sql::quote;

/// A column as the table has it.
struct Known {
    name: String,
    sql: String,
    /// Its place in the primary key; 0: it is not in it.
    key: usize,
}

/// Gives columns of a table, on which there is nothing else than a primary key, other types. Nothing is done where values are kept
/// in the same way by both.
///
/// # Errors
/// The database's.
pub async fn retype(connection: &mut SqliteConnection, table: &TableName, columns: &[Column]) -> Result<()> {
    let there = known(connection, table).await?;
    let new_type = |known: &Known| {
        let found = columns.iter().find(|column| column.name == known.name);
        found
            .map_or(known.sql.as_str(), |column| column.column_type.sql.as_str())
            .to_string()
    };
    if there
        .iter()
        .all(|known| affinity(&known.sql) == affinity(&new_type(known)))
    {
        return Ok(());
    }
    let mut key: Vec<&Known> = there.iter().filter(|known| known.key > 0).collect();
    key.sort_by_key(|known| known.key);
    let names = |columns: &mut dyn Iterator<Item = &Known>| {
        columns
            .map(|known| quote(&known.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let definitions = there
        .iter()
        .map(|known| format!("{} {}", quote(&known.name), new_type(known)));
    let mut definitions = definitions.collect::<Vec<_>>().join(", ");
    if !key.is_empty() {
        definitions.push_str(&format!(", PRIMARY KEY ({})", names(&mut key.into_iter())));
    }
    let new = TableName {
        table: format!("{}_sequor_new", table.table),
        ..table.clone()
    };
    let all = names(&mut there.iter());
    let (old, made) = (quoted(table), quoted(&new));
    let statements = [
        format!("CREATE TABLE {made} ({definitions})"),
        format!("INSERT INTO {made} ({all}) SELECT {all} FROM {old}"),
        format!("DROP TABLE {old}"),
        format!("ALTER TABLE {made} RENAME TO {}", quote(&table.table)),
    ];
    transaction(connection, async |connection| {
        for statement in &statements {
            run(connection, statement).await?;
        }
        Ok(())
    })
    .await
}

async fn known(connection: &mut SqliteConnection, table: &TableName) -> Result<Vec<Known>> {
    let within = schema(table).unwrap_or("main");
    let of = |what: &str| {
        format!(
            "SELECT {what} FROM pragma_table_info({}, {}) ORDER BY cid",
            literal(&table.table),
            literal(within)
        )
    };
    let names = texts(connection, &of("name")).await?;
    let types = texts(connection, &of("type")).await?;
    let keys = texts(connection, &of("CAST(pk AS TEXT)")).await?;
    let all = names.into_iter().zip(types).zip(keys);
    Ok(all
        .map(|((name, sql), key)| Known {
            name,
            sql,
            key: key.parse().unwrap_or(0),
        })
        .collect())
}

/// How values are kept, by the name of a type: <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>
#[derive(Debug, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

fn affinity(sql: &str) -> Affinity {
    let name = sql.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    match () {
        () if has(&["INT"]) => Affinity::Integer,
        () if has(&["CHAR", "CLOB", "TEXT"]) => Affinity::Text,
        () if has(&["BLOB"]) || name.is_empty() => Affinity::Blob,
        () if has(&["REAL", "FLOA", "DOUB"]) => Affinity::Real,
        () => Affinity::Numeric,
    }
}
