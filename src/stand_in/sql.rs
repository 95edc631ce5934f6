//! SQL of the real database, in the spelling of the staging database: parsed in its own dialect, names and types changed in the
//! tree, and written anew.

use std::ops::ControlFlow;

use sequor_planner::Dialect;
use sqlparser::ast::{
    AlterTableOperation, Expr, FromTable, Ident, Insert, LimitClause, ObjectName, ObjectNamePart, ObjectType,
    OnInsert, OrderByKind, Query, Select, SetExpr, SetOperator, Statement, TableFactor, TableObject,
    VisitMut, VisitorMut,
};
use sqlparser::parser::Parser;

use super::casts::stored_type;
use super::names::Names;
use super::tree::number;
use super::{columns, meaning, operators, spelling, truth};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::TableName;
use crate::sources::precedence::regroup;

/// A statement in the staging database's spelling.
#[derive(Debug)]
pub struct Translated {
    pub sql: String,
    pub what: What,
    /// The tables that it names, as the real database calls them.
    pub tables: Vec<TableName>,
    /// The functions that it calls, as the staging database calls them.
    pub functions: Vec<String>,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It gives rows.
    Reads,
    /// It makes a table, whatever was there.
    Makes(TableName),
    /// It makes a table where there is none.
    MakesMissing(TableName),
    /// It changes a table that is there.
    Changes(TableName),
    /// It takes tables away.
    Drops(Vec<TableName>),
    /// It changes nothing that a dry run has: a transaction, a setting, an index, rights, statistics.
    Nothing,
}

/// Reads exactly one statement.
///
/// # Errors
/// What can't be parsed; a statement that can't be tried here.
pub fn translate(sql: &str, names: &Names) -> Result<Translated> {
    let dialect = names.dialect;
    let parsed = Parser::parse_sql(&*dialect.parser(), sql);
    let mut parsed =
        parsed.map_err(|e| Error::new(ErrorKind::Sql, format!("a dry run can't read this SQL: {e}")))?;
    let mut statement = match (parsed.pop(), parsed.len()) {
        (Some(statement), 0) => statement,
        (None, _) => return Err(Error::new(ErrorKind::Sql, "there is no statement")),
        (Some(_), more) => {
            let message = format!("{} statements where one was expected", more + 1);
            return Err(Error::new(ErrorKind::Sql, message));
        }
    };
    regroup(&mut statement);
    let what = what(&statement, dialect)?;
    let mut changes = Changes {
        dialect,
        names,
        is_function: false,
        tables: Vec::new(),
        functions: Vec::new(),
        // Names that the statement itself gives to queries.
        given: Vec::new(),
        refused: None,
    };
    let _ = statement.visit(&mut changes);
    if let Some(why) = changes.refused {
        return Err(Error::new(ErrorKind::Sql, why));
    }
    statement_types(&mut statement, dialect);
    // No step reads what comes back.
    match &mut statement {
        Statement::Insert(insert) => insert.returning = None,
        Statement::Update(update) => update.returning = None,
        Statement::Delete(delete) => delete.returning = None,
        _ => {}
    }
    Ok(Translated {
        sql: spelling::staged(&mut statement, dialect),
        what,
        tables: changes.tables,
        functions: changes.functions,
    })
}

fn what(statement: &Statement, dialect: Dialect) -> Result<What> {
    let table = |name: &ObjectName| table_name(name, dialect);
    Ok(match statement {
        Statement::Query(_) | Statement::Explain { .. } => What::Reads,
        Statement::CreateTable(create) if create.if_not_exists => What::MakesMissing(table(&create.name)),
        Statement::CreateTable(create) => What::Makes(table(&create.name)),
        // Which rows are the same, the keys of the real table say: a copy has none.
        Statement::Insert(insert)
            if insert.replace_into
                || insert.ignore
                || insert.or.is_some()
                || matches!(insert.on, Some(OnInsert::DuplicateKeyUpdate(_))) =>
        {
            return Err(untried("an INSERT that goes by the keys of its table"));
        }
        Statement::Insert(Insert {
            table: TableObject::TableName(name),
            ..
        }) => What::Changes(table(name)),
        Statement::Merge(merge) => What::Changes(factor(&merge.table, dialect)?),
        Statement::Update(update) => What::Changes(factor(&update.table.relation, dialect)?),
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            let first = from.first().map(|from| factor(&from.relation, dialect));
            first
                .unwrap_or_else(|| Err(untried("a DELETE without its table")))
                .map(What::Changes)?
        }
        Statement::Truncate(truncate) => {
            let first = truncate.table_names.first();
            first.map_or(What::Nothing, |target| What::Changes(table(&target.name)))
        }
        Statement::AlterTable(alter) => What::Changes(table(&alter.name)),
        Statement::Drop {
            object_type: ObjectType::Table,
            names,
            ..
        } => What::Drops(names.iter().map(table).collect()),
        Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Set(_)
        | Statement::Use(_)
        | Statement::CreateSchema { .. }
        | Statement::CreateIndex(_)
        | Statement::CreateExtension(_)
        | Statement::Grant { .. }
        | Statement::Revoke { .. }
        | Statement::Comment { .. }
        | Statement::Analyze { .. }
        | Statement::Vacuum { .. }
        | Statement::AlterSession { .. }
        | Statement::LockTables { .. }
        | Statement::UnlockTables
        | Statement::Pragma { .. } => What::Nothing,
        Statement::Rollback { .. } => return Err(untried("a transaction that is taken back")),
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            return Err(untried(&words.join(" ")));
        }
    })
}

fn untried(what: &str) -> Error {
    Error::new(ErrorKind::Sql, format!("{what} can't be tried in a dry run")).help(
        "a dry run tries SELECT, CREATE TABLE, INSERT, UPDATE, DELETE, MERGE, ALTER TABLE, DROP TABLE and TRUNCATE",
    )
}

fn factor(factor: &TableFactor, dialect: Dialect) -> Result<TableName> {
    match factor {
        TableFactor::Table { name, .. } => Ok(table_name(name, dialect)),
        other => Err(untried(&other.to_string())),
    }
}

/// The name of a table, as the real database keeps it.
fn table_name(name: &ObjectName, dialect: Dialect) -> TableName {
    let mut parts = name
        .0
        .iter()
        .rev()
        .filter_map(ObjectNamePart::as_ident)
        .map(|part| kept(part, dialect));
    TableName {
        table: parts.next().unwrap_or_default(),
        namespace: parts.next(),
        database: parts.next(),
    }
}

/// A name as the real database keeps it.
fn kept(ident: &Ident, dialect: Dialect) -> String {
    match (ident.quote_style, dialect) {
        (Some(_), _) => ident.value.clone(),
        (None, Dialect::Snowflake) => ident.value.to_uppercase(),
        (None, Dialect::Postgres | Dialect::Staging) => ident.value.to_lowercase(),
        (None, _) => ident.value.clone(),
    }
}

struct Changes<'n> {
    dialect: Dialect,
    names: &'n Names,
    /// Whether the next relation is a function.
    is_function: bool,
    tables: Vec<TableName>,
    functions: Vec<String>,
    given: Vec<String>,
    /// Why it can't be tried.
    refused: Option<String>,
}

impl VisitorMut for Changes<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            let named = with.cte_tables.iter();
            self.given
                .extend(named.map(|cte| cte.alias.name.value.to_lowercase()));
        }
        without_minus(&mut query.body);
        if let Some(fetch) = query.fetch.take_if(|fetch| !fetch.with_ties && !fetch.percent) {
            let rows = fetch.quantity.unwrap_or_else(|| number("1"));
            match &mut query.limit_clause {
                Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(rows),
                _ => {
                    query.limit_clause = Some(LimitClause::LimitOffset {
                        limit: Some(rows),
                        offset: None,
                        limit_by: Vec::new(),
                    });
                }
            }
        }
        if let Some(OrderByKind::Expressions(by)) = query.order_by.as_mut().map(|order| &mut order.kind) {
            by.iter_mut().for_each(|by| meaning::nulls(by, self.dialect));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.is_function = matches!(factor, TableFactor::Table { args: Some(_), .. });
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if std::mem::take(&mut self.is_function) {
            return ControlFlow::Continue(());
        }
        let table = table_name(relation, self.dialect);
        let is_given = table.namespace.is_none() && self.given.contains(&table.table.to_lowercase());
        if !is_given {
            let there = self.names.stored(&table);
            // In the quotes of the dialect: the text is read once more.
            let quote = if self.dialect == Dialect::MySql { '`' } else { '"' };
            let parts = there.namespace.iter().chain([&there.table]);
            *relation = ObjectName(
                parts
                    .map(|part| ObjectNamePart::Identifier(Ident::with_quote(quote, part)))
                    .collect(),
            );
            self.tables.push(table);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        columns::named(select, self.dialect);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.dialect == Dialect::DuckDb {
            operators::chained(expr);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if truth::is_number(self.dialect) {
            truth::of_select(select);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Err(why) = meaning::same(expr, self.dialect) {
            self.refused.get_or_insert(why);
        }
        if let Expr::Function(function) = expr {
            self.functions.push(function.name.to_string().to_lowercase());
        }
        ControlFlow::Continue(())
    }
}

/// `minus` is what other databases call `except`.
fn without_minus(body: &mut SetExpr) {
    if let SetExpr::SetOperation { op, left, right, .. } = body {
        if *op == SetOperator::Minus {
            *op = SetOperator::Except;
        }
        without_minus(left);
        without_minus(right);
    }
}

/// Changes the types of the columns that a statement defines.
fn statement_types(statement: &mut Statement, dialect: Dialect) {
    match statement {
        Statement::CreateTable(create) => {
            for column in &mut create.columns {
                column.data_type = stored_type(dialect, &column.data_type);
            }
            // What is thrown away has no other lifetime.
            create.temporary = false;
            create.transient = false;
            create.copy_grants = false;
        }
        Statement::AlterTable(alter) => {
            for operation in &mut alter.operations {
                if let AlterTableOperation::AddColumn { column_def, .. } = operation {
                    column_def.data_type = stored_type(dialect, &column_def.data_type);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sql(text: &str, dialect: Dialect) -> String {
        translate(text, &Names::new(dialect, None, None)).unwrap().sql
    }

    #[test]
    fn names_and_types_are_those_of_the_staging_database() {
        let cases = [
            (
                Dialect::Snowflake,
                "select ID::number as n from DB.PUBLIC.Customers c",
                "SELECT ID::NUMERIC(38,0) AS n FROM \"db__\".\"customers\" c",
            ),
            (
                Dialect::Snowflake,
                "select iff(a > 1, 'x', 'y') as c from t",
                "SELECT (CASE WHEN (a > 1) THEN 'x' ELSE 'y' END) AS c FROM \"t\"",
            ),
            (
                Dialect::MySql,
                "select `a b`, \"text\" as c from `shop`.`Orders`",
                "SELECT \"a b\", 'text' AS c FROM \"shop\".\"orders\"",
            ),
            (
                Dialect::DuckDb,
                "select a / b as c from t order by a desc",
                "SELECT CAST(a AS DOUBLE) / b AS c FROM \"t\" ORDER BY a DESC NULLS LAST",
            ),
            (
                Dialect::MySql,
                "select concat(a, b) as c from t order by a",
                "SELECT (as_text(a) || as_text(b)) AS c FROM \"t\" ORDER BY a NULLS FIRST",
            ),
            (
                Dialect::Postgres,
                "select to_char(d, 'YYYY-MM-DD\"T\"HH24:MI') from t",
                "SELECT to_char(d, '%Y-%m-%dT%H:%M') AS \"to_char\" FROM \"t\"",
            ),
            (
                Dialect::Postgres,
                "with c as (select 1 as id) select id from c join public.t using (id)",
                "WITH c AS (SELECT 1 AS id) SELECT id FROM c JOIN \"t\" USING(id)",
            ),
        ];
        for (dialect, given, expected) in cases {
            assert_eq!(sql(given, dialect), expected);
        }
    }

    #[test]
    fn what_a_statement_does_is_known() {
        let what = |text: &str| {
            translate(text, &Names::new(Dialect::Postgres, None, None))
                .unwrap()
                .what
        };
        let table = || TableName::new("t");
        assert_eq!(what("create table T as select 1 as id"), What::Makes(table()));
        assert_eq!(what("insert into t select 1"), What::Changes(table()));
        assert_eq!(what("update t set a = 1"), What::Changes(table()));
        assert_eq!(what("delete from t where a = 1"), What::Changes(table()));
        assert_eq!(what("drop table if exists t"), What::Drops(vec![table()]));
        assert_eq!(what("create index i on t (a)"), What::Nothing);
        assert!(
            translate(
                "select to_char(n, '999')",
                &Names::new(Dialect::Postgres, None, None)
            )
            .is_err()
        );
        assert!(translate("call p()", &Names::new(Dialect::Postgres, None, None)).is_err());
    }
}
