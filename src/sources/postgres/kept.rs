//! A table whose rows are replaced, and that others have put something on: grants, comments, indexes, constraints,
//! policies, triggers, views. It stays, is emptied, and gets the columns of the new rows.

use sqlx::{PgConnection, Row as _};

use super::database::ask;
use super::side::PgSide;
use super::{columns, sql};
use crate::batch::column::Column;
use crate::batch::types::narrows;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::landing::SideTable;

/// Whether a table has nothing that one just made has not, and nothing hangs on it.
const PLAIN: &str = "SELECT t.relkind = 'r' AND NOT t.relispartition \
    AND t.relowner = s.relowner AND t.relacl IS NOT DISTINCT FROM s.relacl \
    AND t.reloptions IS NOT DISTINCT FROM s.reloptions AND t.relreplident = s.relreplident \
    AND t.relpersistence = s.relpersistence AND t.reltablespace = s.reltablespace \
    AND NOT t.relrowsecurity AND NOT t.relforcerowsecurity \
    AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = t.oid) \
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE t.oid IN (conrelid, confrelid)) \
    AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.oid) \
    AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = t.oid) \
    AND NOT EXISTS (SELECT FROM pg_rewrite WHERE ev_class = t.oid) \
    AND NOT EXISTS (SELECT FROM pg_inherits WHERE t.oid IN (inhrelid, inhparent)) \
    AND NOT EXISTS (SELECT FROM pg_publication_rel WHERE prrelid = t.oid) \
    AND NOT EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = t.oid) \
    AND NOT EXISTS (SELECT FROM pg_description WHERE objoid = t.oid AND classoid = 'pg_class'::regclass) \
    AND NOT EXISTS (SELECT FROM pg_seclabel WHERE objoid = t.oid AND classoid = 'pg_class'::regclass) \
    AND NOT EXISTS (SELECT FROM pg_depend \
        WHERE refobjid = t.oid AND refclassid = 'pg_class'::regclass AND deptype = 'n') \
    AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped \
        AND (attnotnull OR atthasdef OR attidentity <> '' OR attacl IS NOT NULL OR attoptions IS NOT NULL)) \
    FROM pg_class t, pg_class s WHERE t.oid = to_regclass($1) AND s.oid = to_regclass($2)";

/// Tells whether a table can be dropped and made anew without a loss. Servers whose catalog is another one say yes.
pub async fn is_plain(connection: &mut PgConnection, target: &TableName, side: &TableName) -> Result<bool> {
    super::database::run(connection, "SAVEPOINT sequor_plain").await?;
    let found = sqlx::query(PLAIN)
        .bind(sql::table(target))
        .bind(sql::table(side))
        .fetch_optional(&mut *connection)
        .await;
    let plain = match found {
        Ok(row) => row.is_none_or(|row| row.try_get(0).unwrap_or(true)),
        Err(_) => true,
    };
    super::database::run(connection, "ROLLBACK TO SAVEPOINT sequor_plain").await?;
    Ok(plain)
}

impl PgSide<'_> {
    /// # Errors
    /// Foreign keys of other tables that would delete or change their rows with those of the target.
    pub(super) async fn refuse_children(&mut self) -> Result<()> {
        let target = self.names.target.clone();
        let children = "SELECT EXISTS (SELECT FROM pg_constraint \
            WHERE confrelid = to_regclass($1) AND conrelid <> confrelid AND confdeltype IN ('c', 'n', 'd'))";
        if ask(self.connection, children, &target).await? {
            let message = format!(
                "table {target} is not replaced: another table has a foreign key on it that deletes or changes its own rows with these"
            );
            return Err(Error::new(ErrorKind::Sql, message)
                .help("use `write_mode: upsert`, which keeps the rows that are there, or a foreign key without `on delete`"));
        }
        Ok(())
    }

    /// Empties the target, and gives it the columns of the side table: those that views hang on stay as they are.
    pub(super) async fn empty_target(&mut self) -> Result<()> {
        let target = self.names.target.clone();
        self.refuse_children().await?;
        // Faster, where no table with foreign keys on it forbids it, and it is allowed. Tables that inherit keep their rows.
        if !self.tried(&format!("TRUNCATE ONLY {target}")).await? {
            self.run(&format!("DELETE FROM ONLY {target}")).await.map_err(|e| {
                e.help("where other tables refer to its rows, `write_mode: upsert` keeps those that are there")
            })?;
        }
        let there = columns::of(&mut *self.connection, self.target)
            .await?
            .unwrap_or_default();
        let new = self.side_columns().await?;
        for column in &there {
            if !new.iter().any(|n| n.name == column.name) {
                let drop = format!("ALTER TABLE {target} DROP COLUMN {}", sql::quote(&column.name));
                self.tried(&drop).await?;
            }
        }
        for column in &new {
            let (name, sql_type) = (sql::quote(&column.name), &column.column_type.sql);
            match there.iter().find(|t| t.name == column.name) {
                None => {
                    let declared = self
                        .columns
                        .unwrap_or_default()
                        .iter()
                        .find(|c| c.name == column.name);
                    let declaration = declared.map_or(sql_type.as_str(), |c| c.column_type.declaration());
                    self.run(&format!("ALTER TABLE {target} ADD COLUMN {name} {declaration}"))
                        .await?;
                }
                Some(known) if known.column_type.sql != *sql_type => {
                    let retype = format!(
                        "ALTER TABLE {target} ALTER COLUMN {name} TYPE {sql_type} USING NULL::{sql_type}"
                    );
                    if !self.tried(&retype).await? && narrows(&column.column_type, &known.column_type) {
                        let message = format!(
                            "column {name} of table {target} stays {}, since views or others depend on it, and does not hold every {sql_type}",
                            known.column_type.sql
                        );
                        return Err(Error::new(ErrorKind::Sql, message).help(
                            "drop what depends on the column, or give it the type that the table has",
                        ));
                    }
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The side table's columns with their types as the catalog has them.
    async fn side_columns(&mut self) -> Result<Vec<Column>> {
        Ok(columns::of(&mut *self.connection, self.side)
            .await?
            .unwrap_or_default())
    }

    /// Runs a statement that may fail without harm. Whether it did what it says.
    pub(super) async fn tried(&mut self, statement: &str) -> Result<bool> {
        self.run("SAVEPOINT sequor_try").await?;
        if self.run(statement).await.is_ok() {
            self.run("RELEASE SAVEPOINT sequor_try").await?;
            return Ok(true);
        }
        self.run("ROLLBACK TO SAVEPOINT sequor_try").await?;
        Ok(false)
    }
}
