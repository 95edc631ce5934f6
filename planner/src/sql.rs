//! Tables that SQL reads and writes, from sqlparser's tree.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use sqlparser::ast::{
    AlterTableOperation, FromTable, ObjectName, Query, SetExpr, Statement, TableFactor, TableObject, Visit,
    Visitor,
};
use sqlparser::parser::Parser;

use crate::dialect::Dialect;
use crate::expr::{Blank, MARKER, blank};
use crate::statements::{plain_colons, split_statements};

/// A table as SQL names it. Unquoted parts are folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SqlTable {
    pub database: Option<String>,
    pub namespace: Option<String>,
    pub table: String,
}

/// What SQL touches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SqlEffects {
    pub reads: BTreeSet<SqlTable>,
    pub writes: BTreeSet<SqlTable>,
    /// Tables (not views) that it makes.
    pub creates: BTreeSet<SqlTable>,
    /// A table's name comes from a template: it may read anything.
    pub reads_any: bool,
    /// A statement that is not understood, or writes a table that only a template names.
    pub writes_any: bool,
}

/// Returns what a query or statements (with Jinja in them) read and write.
///
/// # Errors
/// The parser's message when it can't read the text. The database may still understand it.
pub fn analyse(sql: &str, dialect: Dialect) -> Result<SqlEffects, String> {
    let text = blank(&plain_colons(sql), Blank::Marker);
    let mut statements = Vec::new();
    for statement in split_statements(&text, dialect) {
        let parsed = Parser::parse_sql(&*dialect.parser(), &statement);
        statements
            .extend(parsed.map_err(|e| e.to_string().trim_start_matches("sql parser error: ").to_string())?);
    }
    let mut effects = SqlEffects::default();
    for statement in &statements {
        let mut reader = Reader::default();
        let _ = statement.visit(&mut reader);
        // The name of a table that is made is visited, too, and not read.
        if let Statement::CreateTable(create) = statement
            && let Some(at) = reader.relations.iter().position(|name| *name == create.name)
        {
            reader.relations.remove(at);
        }
        for name in reader.relations {
            effects.read(&name);
        }
        // What a function of the user's own reads can't be seen.
        effects.reads_any |= reader.functions.iter().any(|name| !is_plain_function(name));
        effects.statement(statement);
    }
    Ok(effects)
}

/// Tells whether SQL starts as a query does. A function that it calls may still do anything.
pub fn only_reads(sql: &str) -> bool {
    let text = blank(sql, Blank::Marker);
    let mut rest = text.trim_start();
    // Comments say nothing.
    loop {
        let skipped = match (rest.strip_prefix("--"), rest.strip_prefix("/*")) {
            (Some(line), _) => line.split_once('\n').map_or("", |(_, rest)| rest),
            (_, Some(block)) => block.split_once("*/").map_or("", |(_, rest)| rest),
            _ => break,
        };
        rest = skipped.trim_start();
    }
    let rest = rest.trim_start_matches('(').trim_start();
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    let known = [
        "select",
        "with",
        "values",
        "table",
        "show",
        "explain",
        "describe",
        "from",
        "pragma",
        "summarize",
    ];
    // A template may give the whole text: only the run can tell.
    text.contains(MARKER) && word.is_empty() || known.contains(&word.to_lowercase().as_str())
}

impl SqlEffects {
    fn read(&mut self, name: &ObjectName) {
        match table_name(name) {
            Some(table) => {
                self.reads.insert(table);
            }
            None => self.reads_any = true,
        }
    }

    fn write(&mut self, name: &ObjectName) {
        match table_name(name) {
            Some(table) => {
                self.writes.insert(table);
            }
            None => self.writes_any = true,
        }
    }

    fn write_factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, .. } => self.write(name),
            _ => self.writes_any = true,
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => {
                // Run for its own sake, a query has an effect: a function that it calls.
                self.writes_any |= !self.writing_query(query);
            }
            Statement::Insert(insert) => match &insert.table {
                TableObject::TableName(name) => self.write(name),
                _ => self.writes_any = true,
            },
            Statement::Update(update) => self.write_factor(&update.table.relation),
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                from.iter().for_each(|t| self.write_factor(&t.relation));
            }
            Statement::Merge(merge) => self.write_factor(&merge.table),
            Statement::CreateTable(create) => {
                self.write(&create.name);
                self.creates.extend(table_name(&create.name));
            }
            Statement::CreateView(create) => self.write(&create.name),
            Statement::AlterTable(alter) => {
                self.write(&alter.name);
                // A new name may be that of any table.
                let renames =
                    |op: &AlterTableOperation| matches!(op, AlterTableOperation::RenameTable { .. });
                self.writes_any |= alter.operations.iter().any(renames);
            }
            Statement::Drop { names, .. } => names.iter().for_each(|n| self.write(n)),
            Statement::Truncate(truncate) => {
                truncate.table_names.iter().for_each(|t| self.write(&t.name));
            }
            Statement::CreateIndex(create) => self.write(&create.table_name),
            _ => self.writes_any = true,
        }
    }

    /// `WITH x AS (...) INSERT ...` and `SELECT ... INTO x` are queries that write. Returns whether this one does.
    fn writing_query(&mut self, query: &Query) -> bool {
        let mut writes = match &*query.body {
            SetExpr::Insert(s) | SetExpr::Update(s) | SetExpr::Delete(s) | SetExpr::Merge(s) => {
                self.statement(s);
                true
            }
            body => self.select_into(body),
        };
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            writes |= self.writing_query(&cte.query);
        }
        writes
    }

    /// The target stands in the first SELECT of a UNION.
    fn select_into(&mut self, body: &SetExpr) -> bool {
        match body {
            SetExpr::Select(select) => {
                select.into.iter().for_each(|into| self.write(&into.name));
                select.into.is_some()
            }
            SetExpr::SetOperation { left, .. } => self.select_into(left),
            _ => false,
        }
    }
}

/// The name's parts; none where a template's value is part of it.
fn table_name(name: &ObjectName) -> Option<SqlTable> {
    let mut parts = Vec::with_capacity(3);
    for part in &name.0 {
        let ident = part.as_ident()?;
        if ident.value.contains(MARKER) {
            return None;
        }
        parts.push(match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_lowercase(),
        });
    }
    let table = parts.pop()?;
    let namespace = parts.pop();
    Some(SqlTable {
        database: parts.pop(),
        namespace,
        table,
    })
}

/// Collects relations, leaving out the names of CTEs where they are in scope.
#[derive(Default)]
struct Reader {
    relations: Vec<ObjectName>,
    /// Functions that stand where a table may: `from generate_series(1, 3)`.
    functions: Vec<ObjectName>,
    /// The name of a function about to be visited as if it were a table.
    skip: Option<ObjectName>,
    /// CTE names in scope, one set per query being visited.
    scopes: Vec<Vec<String>>,
    /// What a CTE's own query sees, by the query's address: the CTEs before it, itself only when recursive.
    sees: HashMap<*const Query, Vec<String>>,
}

impl Visitor for Reader {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut scope = self
            .sees
            .remove(&std::ptr::from_ref(query))
            .unwrap_or_else(|| self.scopes.last().cloned().unwrap_or_default());
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let name = cte.alias.name.value.to_lowercase();
                let mut seen = scope.clone();
                if with.recursive {
                    seen.push(name.clone());
                }
                self.sees.insert(std::ptr::from_ref(&*cte.query), seen);
                scope.push(name);
            }
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name, args: Some(_), ..
        } = factor
        {
            self.functions.push(name.clone());
            self.skip = Some(name.clone());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        if self.skip.take_if(|skip| skip == name).is_some() {
            return ControlFlow::Continue(());
        }
        let is_cte = match name.0.as_slice() {
            [part] => part.as_ident().is_some_and(|ident| {
                let scope = self.scopes.last();
                scope.is_some_and(|s| s.contains(&ident.value.to_lowercase()))
            }),
            _ => false,
        };
        if !is_cte {
            self.relations.push(name.clone());
        }
        ControlFlow::Continue(())
    }
}

/// Whether a function that gives rows makes them of its arguments alone.
fn is_plain_function(name: &ObjectName) -> bool {
    let name = name.to_string().to_lowercase();
    let plain = ["generate_series", "range", "unnest", "string_to_table", "values"];
    plain.contains(&name.as_str()) || name.starts_with("json") || name.starts_with("regexp_")
}
