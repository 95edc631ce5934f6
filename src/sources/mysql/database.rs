//! MySQL as the engine sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use async_trait::async_trait;
use sequor_planner::Dialect;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::{Connection as _, MySqlConnection, Row as _};

use super::collations;
use super::connect::{COLLATION, connect, options};
use super::error::explain;
use super::load::MySqlLoads;
use super::place::{Waiting, place, wait_for_writers};
use super::query;
use super::side::{claim, side_of};
use super::sql::{check, column_list, namespace, quote, quoted, run, text_literal, texts_of};
use super::stop::{Stops, number};
use super::types::{self, defined, roomy};
use crate::batch::column::Column;
use crate::batch::types::{ColumnType, Logical};
use crate::error::Result;
use crate::secret::Secret;
use crate::sources::casts::portable;
use crate::sources::database::{Database, Rows, Session, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Placing, SameKeys};
use crate::sources::naming::Naming;
use crate::sources::nodelay::send_at_once;
use crate::sources::overlap::Overlap;
use crate::sources::reading::one;
use crate::sources::transaction::LoadTransaction;
use sequor_planner::ops::WriteMode;

/// A MySQL or MariaDB database.
pub struct MySql {
    pool: MySqlPool,
    options: MySqlConnectOptions,
    stops: Arc<Stops>,
}

impl MySql {
    /// Connects; the server has answered when this returns.
    pub async fn open(conn_str: &Secret, username: Option<&str>, password: Option<&Secret>) -> Result<MySql> {
        let (pool, options) = connect(options(conn_str, username, password)?).await?;
        Ok(MySql {
            pool,
            stops: Stops::new(&options),
            options,
        })
    }

    /// How text is compared.
    fn collation(&self) -> &str {
        self.options.get_collation().unwrap_or(COLLATION)
    }

    /// What the catalog says of a table's columns that meet a condition, in their order.
    async fn catalog(&self, table: &TableName, (what, condition): (&str, &str)) -> Result<Vec<String>> {
        let within = namespace(table).map_or("DATABASE()".to_string(), |name| text_literal(name));
        let sql = format!(
            "SELECT CONVERT({what} USING utf8mb4) FROM information_schema.columns \
             WHERE table_schema = {within} AND table_name = {} AND {condition} ORDER BY ordinal_position",
            text_literal(&table.table)
        );
        texts_of(&mut self.own_connection().await?, &sql).await
    }

    /// A connection of its own. It keeps the statements of its load.
    async fn own_connection(&self) -> Result<MySqlConnection> {
        let options = self.options.clone().statement_cache_capacity(8);
        let connection = MySqlConnection::connect_with(&options)
            .await
            .map_err(|e| explain(&e))?;
        send_at_once(options.get_port());
        Ok(connection)
    }

    /// The columns of a table that hold JSON: MariaDB gives them as text.
    async fn json(&self, table: &TableName) -> Result<Vec<String>> {
        let columns = self.columns(table).await?.unwrap_or_default();
        let json = columns
            .into_iter()
            .filter(|c| c.column_type.logical == Logical::Json);
        Ok(json.map(|c| c.name).collect())
    }
}

struct Statements {
    connection: MySqlConnection,
    number: u64,
    stops: Arc<Stops>,
}

#[async_trait]
impl Session for Statements {
    async fn execute(&mut self, sql: &str) -> Result<Option<u64>> {
        let watched = self.stops.watch(self.number, None);
        let done = run(&mut self.connection, &portable(sql, Dialect::MySql)).await;
        watched.done();
        done.map(Some)
    }
}

#[async_trait]
impl Database for MySql {
    fn dialect(&self) -> Dialect {
        Dialect::MySql
    }

    fn naming(&self) -> Naming {
        Naming::AnyCase
    }

    fn column_type(&self, sql: &str) -> Result<ColumnType> {
        types::of(sql)
    }

    async fn query(&self, sql: &str) -> Result<Rows> {
        one(sql, Dialect::MySql)?;
        query::stream(&self.pool, &self.stops, &portable(sql, Dialect::MySql), &[]).await
    }

    async fn scan(&self, table: &TableName) -> Result<Rows> {
        check(table)?;
        let json = self.json(table).await?;
        query::stream(
            &self.pool,
            &self.stops,
            &format!("SELECT * FROM {}", quoted(table)),
            &json,
        )
        .await
    }

    async fn scan_columns(&self, table: &TableName, wanted: Option<&BTreeSet<String>>) -> Result<Rows> {
        match self.some_columns(table, wanted).await? {
            None => self.scan(table).await,
            Some(names) => {
                let json = self.json(table).await?;
                let names = column_list(names.iter().map(String::as_str));
                let sql = format!("SELECT {names} FROM {}", quoted(table));
                query::stream(&self.pool, &self.stops, &sql, &json).await
            }
        }
    }

    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>> {
        check(table)?;
        // MariaDB's JSON is text that a constraint checks.
        let rows = sqlx::query(
            "SELECT CONVERT(column_name USING utf8mb4), CONVERT(column_type USING utf8mb4), \
             CONVERT(data_type USING utf8mb4) FROM information_schema.columns \
             WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position",
        )
        .bind(namespace(table).cloned())
        .bind(table.table.clone())
        .fetch_all(&self.pool)
        .await
        .map_err(|e| explain(&e))?;
        let mut columns = Vec::with_capacity(rows.len());
        for row in &rows {
            let text = |at: usize| row.try_get_unchecked::<String, _>(at).map_err(|e| explain(&e));
            let (name, sql, kind) = (text(0)?, text(1)?, text(2)?);
            columns.push(Column {
                name,
                column_type: catalogued(sql, &kind),
            });
        }
        if columns.iter().any(|c| c.column_type.sql == "longtext") {
            self.mark_json(table, &mut columns).await?;
        }
        Ok((!columns.is_empty()).then_some(columns))
    }

    fn quote(&self, name: &str) -> String {
        quote(name)
    }

    fn quoted(&self, table: &TableName) -> String {
        quoted(table)
    }

    async fn alter(&self, table: &TableName, add: &[Column], drop: &[String]) -> Result<()> {
        let added = add.iter().map(|c| {
            format!(
                "ADD COLUMN {} {}",
                quote(&c.name),
                defined(&c.column_type, self.collation())
            )
        });
        let dropped = drop.iter().map(|name| format!("DROP COLUMN {}", quote(name)));
        let changes: Vec<String> = added.chain(dropped).collect();
        let statement = format!("ALTER TABLE {} {}", quoted(table), changes.join(", "));
        self.execute(&statement).await.map(|_| ())
    }

    async fn retype(&self, table: &TableName, columns: &[Column]) -> Result<()> {
        let never_null = self.catalog(table, ("column_name", "is_nullable = 'NO'")).await?;
        let ordered = "collation_name IS NOT NULL";
        let texts = self.catalog(table, ("column_name", ordered)).await?;
        let collations = self.catalog(table, ("collation_name", ordered)).await?;
        let changes = columns.iter().map(|c| {
            let own = texts.iter().position(|name| *name == c.name);
            let own = own.and_then(|at| collations.get(at)).map(String::as_str);
            let own = own.filter(|name| name.starts_with("utf8mb4_"));
            let defined = defined(&c.column_type, own.unwrap_or(self.collation()));
            // What is not said of a column is not kept.
            let defined = match never_null.contains(&c.name) {
                true => format!("{} NOT NULL", defined.trim_end_matches(" NULL")),
                false => defined,
            };
            format!("MODIFY COLUMN {} {defined}", quote(&c.name))
        });
        let changes: Vec<String> = changes.collect();
        let statement = format!("ALTER TABLE {} {}", quoted(table), changes.join(", "));
        self.execute(&statement).await.map(|_| ())
    }

    async fn follow_collations(&self, table: &TableName, from: &str, names: &[String]) -> Result<()> {
        let there = self.columns(table).await?.unwrap_or_default();
        let named = there.into_iter().filter(|column| names.contains(&column.name));
        let columns: Vec<Column> = named.collect();
        collations::follow(&mut self.own_connection().await?, table, from, &columns).await
    }

    async fn session(&self) -> Result<Box<dyn Session + '_>> {
        let mut connection = self.own_connection().await?;
        Ok(Box::new(Statements {
            number: number(&mut connection).await?,
            connection,
            stops: self.stops.clone(),
        }))
    }

    async fn transform_over(
        &self,
        query: &str,
        target: &TableName,
        mut mode: WriteMode,
        overlap: Option<&Overlap>,
    ) -> Result<u64> {
        check(target)?;
        let query = portable(query, Dialect::MySql);
        let mut connection = self.own_connection().await?;
        let side = side_of(target);
        claim(&mut connection, &side).await?;
        let drop = format!("DROP TABLE IF EXISTS {}", quoted(&side));
        let watched = self
            .stops
            .watch(number(&mut connection).await?, Some(drop.clone()));
        let done = async {
            let columns = self.shaped(&mut connection, &side, &query).await?;
            let list = column_list(columns.iter().map(String::as_str));
            let fill = format!("INSERT INTO {} ({list}) {query}", quoted(&side));
            let rows = run(&mut connection, &fill).await?;
            upsert_key(&mut mode, columns.iter().map(String::as_str))?;
            let waiting = Waiting {
                side: &side,
                target,
                columns: &columns,
                placing: Placing {
                    overlap,
                    ..Placing::of(&mode, SameKeys::Refuse)
                },
                numbered: false,
            };
            place(&mut connection, &[waiting]).await?;
            Ok(rows)
        };
        let done = done.await;
        watched.done();
        if done.is_err() {
            let _ = run(&mut connection, &drop).await;
        }
        done
    }

    async fn wait_for_writers(&self, table: &TableName) -> Result<()> {
        let mut connection = self.own_connection().await?;
        wait_for_writers(&mut connection, table).await
    }

    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>> {
        let connection = self.own_connection().await?;
        let loads = MySqlLoads::begin(connection, &self.stops, self.collation()).await?;
        Ok(Box::new(loads))
    }

    async fn close(&self) {
        self.stops.finish().await;
        self.pool.close().await;
    }
}

impl MySql {
    /// Finds the JSON among columns of text.
    async fn mark_json(&self, table: &TableName, columns: &mut [Column]) -> Result<()> {
        // MySQL has a type for it, and another shape of this view.
        let rows = sqlx::query(
            "SELECT CONVERT(check_clause USING utf8mb4) FROM information_schema.check_constraints \
             WHERE constraint_schema = COALESCE(?, DATABASE()) AND table_name = ?",
        )
        .bind(namespace(table).cloned())
        .bind(table.table.clone())
        .fetch_all(&self.pool)
        .await
        .unwrap_or_default();
        for row in &rows {
            let Ok(clause) = row.try_get_unchecked::<String, _>(0) else {
                continue;
            };
            for column in columns.iter_mut() {
                if clause == format!("json_valid({})", quote(&column.name)) {
                    column.column_type.logical = Logical::Json;
                    column.column_type.sql = "json".into();
                }
            }
        }
        Ok(())
    }
}

impl MySql {
    /// Makes the side table of a query: its columns can be null and have room, whatever MySQL sees in
    /// the query's literals. Their names.
    async fn shaped(
        &self,
        connection: &mut MySqlConnection,
        side: &TableName,
        query: &str,
    ) -> Result<Vec<String>> {
        let name = quoted(side);
        // The query may end with a comment.
        let shape = format!("CREATE TABLE {name} AS SELECT * FROM ({query}\n) AS q LIMIT 0");
        run(connection, &shape).await?;
        let columns = self.columns(side).await?.unwrap_or_default();
        let mut names = Vec::with_capacity(columns.len());
        let mut changes = Vec::with_capacity(columns.len());
        for column in columns {
            changes.push(format!(
                "MODIFY {} {}",
                quote(&column.name),
                defined(&roomy(column.column_type), self.collation())
            ));
            names.push(column.name);
        }
        run(connection, &format!("ALTER TABLE {name} {}", changes.join(", "))).await?;
        Ok(names)
    }
}

/// A type as the catalog has it.
fn catalogued(sql: String, kind: &str) -> ColumnType {
    let known = |text: &str| types::of(text).ok();
    let unsigned = sql.contains("unsigned");
    let (arrow, logical) = match kind {
        "tinyint" if sql == "tinyint(1)" => (DataType::Boolean, Logical::Plain),
        "bigint" if unsigned => (DataType::Utf8, Logical::Numeric),
        "int" if unsigned => (DataType::Int64, Logical::Plain),
        "smallint" | "mediumint" if unsigned => (DataType::Int32, Logical::Plain),
        "datetime" => known("timestamp").map_or((DataType::Utf8, Logical::Other), |t| (t.arrow, t.logical)),
        "timestamp" => {
            known("timestamptz").map_or((DataType::Utf8, Logical::Other), |t| (t.arrow, t.logical))
        }
        "float" => (DataType::Float32, Logical::Plain),
        "decimal" => known(&sql).map_or((DataType::Utf8, Logical::Numeric), |t| (t.arrow, t.logical)),
        kind => known(kind).map_or((DataType::Utf8, Logical::Other), |t| (t.arrow, t.logical)),
    };
    ColumnType {
        declared: None,
        sql,
        arrow,
        logical,
    }
}
