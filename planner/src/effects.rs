//! What steps read and write, and when two of them must keep their order.

use std::collections::BTreeSet;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;
use crate::expr::{self, Prop, RowUses, Uses};
use crate::names::name_parts;
use crate::sql::{self, SqlTable};
use crate::syntax::Source;

/// Something that a step reads or writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    Table {
        source: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        table: String,
    },
    /// Anything in a source: which table is only known when running.
    Source(String),
    /// Anything in any source.
    AnySource,
    /// A variable of the project or the environment.
    Variable(String),
    /// A variable of one run of one flow.
    Local {
        frame: usize,
        name: String,
    },
    /// Any variable.
    AnyVariable,
    /// The API behind an http source, or at a host.
    Api(String),
    /// Any API that no source names.
    AnyApi,
    Console,
}

impl Resource {
    /// Tells whether the two can be the same thing.
    pub fn overlaps(&self, other: &Resource) -> bool {
        use Resource::*;
        match (self, other) {
            (
                Table {
                    source: s1,
                    database: d1,
                    namespace: n1,
                    table: t1,
                },
                Table {
                    source: s2,
                    database: d2,
                    namespace: n2,
                    table: t2,
                },
            ) => {
                s1 == s2
                    && same(Some(t1), Some(t2))
                    && same(n1.as_ref(), n2.as_ref())
                    && same(d1.as_ref(), d2.as_ref())
            }
            (Table { source: a, .. } | Source(a), Table { source: b, .. } | Source(b)) => a == b,
            (AnySource, Table { .. } | Source(_) | AnySource)
            | (Table { .. } | Source(_), AnySource)
            | (AnyVariable, Variable(_) | Local { .. } | AnyVariable)
            | (Variable(_) | Local { .. }, AnyVariable)
            | (AnyApi, Api(_) | AnyApi)
            | (Api(_), AnyApi) => true,
            (a, b) => a == b,
        }
    }
}

/// Names are compared without regard to case, since databases fold differently; a part not given may be any.
fn same(a: Option<&String>, b: Option<&String>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => true,
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Table {
                source,
                database,
                namespace,
                table,
            } => {
                write!(f, "table {source}.")?;
                for part in [database, namespace].into_iter().flatten() {
                    write!(f, "{part}.")?;
                }
                f.write_str(table)
            }
            Resource::Source(source) => write!(f, "anything in {source}"),
            Resource::AnySource => f.write_str("any table"),
            Resource::Variable(name) | Resource::Local { name, .. } => write!(f, "variable {name}"),
            Resource::AnyVariable => f.write_str("any variable"),
            Resource::Api(name) => write!(f, "API {name}"),
            Resource::AnyApi => f.write_str("any API"),
            Resource::Console => f.write_str("console"),
        }
    }
}

/// What a step reads and writes.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    pub reads: BTreeSet<Resource>,
    pub writes: BTreeSet<Resource>,
    /// SQL that the planner could not read: the parser's messages.
    pub opaque: Vec<String>,
    /// Variables that may be missing: the step asks whether they are defined.
    pub probed: BTreeSet<String>,
    /// Columns used of variables that may hold rows.
    pub rows: RowUses,
    /// Sources that queries run on, whatever tables they name.
    pub queried: BTreeSet<String>,
    /// Why what the step does can't be held back, in words that follow its id: "sends POST requests".
    pub barrier: Option<String>,
}

/// Facts that effects are computed with.
pub struct FlowScope<'a> {
    /// The flow frame of the step.
    pub frame: usize,
    /// Local variables that the frame's flow sets or gets as parameters.
    pub locals: &'a BTreeSet<String>,
    /// Names bound around the step: rows of the for_each it stands in.
    pub bound: &'a [String],
    pub sources: &'a IndexMap<String, Source>,
}

impl Effects {
    /// Returns all of `other`, too.
    pub fn merge(&mut self, other: Effects) {
        self.reads.extend(other.reads);
        self.writes.extend(other.writes);
        self.opaque.extend(other.opaque);
        self.queried.extend(other.queried);
        self.probed.extend(other.probed);
        self.rows.merge(&other.rows);
        if self.barrier.is_none() {
            self.barrier = other.barrier;
        }
    }

    /// Returns the sources whose databases it uses, where they are known.
    pub fn sources(&self) -> BTreeSet<String> {
        let touched = self.reads.iter().chain(&self.writes);
        let named = touched.filter_map(|resource| match resource {
            Resource::Table { source, .. } | Resource::Source(source) => Some(source.clone()),
            _ => None,
        });
        named.chain(self.queried.iter().cloned()).collect()
    }

    /// Notes that what the step does can't be held back.
    pub fn at_once(&mut self, why: impl Into<String>) {
        self.barrier.get_or_insert_with(|| why.into());
    }

    /// Returns what evaluating expressions reads.
    pub fn read_uses(&mut self, uses: &Uses, scope: &FlowScope<'_>) {
        for name in &uses.variables {
            if scope.bound.contains(name) {
                continue;
            }
            self.reads.insert(variable(name, scope));
            // Until the flow's own is set, and while it is null, the project's is seen.
            self.reads.insert(Resource::Variable(name.clone()));
        }
        for name in uses.changed.iter().filter(|name| !scope.bound.contains(name)) {
            self.writes.insert(variable(name, scope));
        }
        self.probed.extend(uses.probed.iter().cloned());
        self.rows.merge(&uses.rows);
        if uses.any_variable {
            self.reads.insert(Resource::AnyVariable);
        }
        for t in &uses.tables {
            let Some(mut parts) = name_parts(&t.table) else {
                self.reads.insert(Resource::Source(t.source.clone()));
                continue;
            };
            let mut last = || parts.pop().map(|part| part.text);
            let table = last().unwrap_or_default();
            let namespace = last().or_else(|| t.namespace.clone());
            self.reads.insert(Resource::Table {
                source: t.source.clone(),
                database: last().or_else(|| t.database.clone()),
                namespace,
                table,
            });
        }
        self.reads
            .extend(uses.sources.iter().cloned().map(Resource::Source));
        if uses.any_source {
            self.reads.insert(Resource::AnySource);
        }
        for (source, sql) in &uses.queries {
            self.sql(source, sql, scope, false);
            if !sql::only_reads(sql) {
                self.at_once("runs SQL in an expression that is no SELECT");
            }
        }
        if let Some(what) = &uses.outside {
            self.at_once(format!("{what} in its Python"));
        }
    }

    /// Returns what SQL in a source reads, and writes when it `may_write`.
    pub fn sql(&mut self, source: &str, text: &str, scope: &FlowScope<'_>, may_write: bool) {
        if !expr::has_template(source) {
            self.queried.insert(source.to_string());
        }
        let dialect = scope
            .sources
            .get(source)
            .and_then(Source::dialect)
            .unwrap_or(Dialect::Postgres);
        if expr::has_template(source) {
            self.reads.insert(Resource::AnySource);
            if may_write {
                self.writes.insert(Resource::AnySource);
            }
            return;
        }
        let table = |t: SqlTable| Resource::Table {
            source: source.to_string(),
            database: t.database,
            namespace: t.namespace,
            table: t.table,
        };
        match sql::analyse(text, dialect) {
            Ok(found) => {
                self.reads.extend(found.reads.into_iter().map(table));
                self.writes.extend(found.writes.into_iter().map(table));
                if found.reads_any {
                    self.reads.insert(Resource::Source(source.to_string()));
                }
                if found.writes_any && may_write {
                    self.writes.insert(Resource::Source(source.to_string()));
                }
            }
            Err(message) => {
                self.opaque.push(message);
                let anything = Resource::Source(source.to_string());
                self.reads.insert(anything.clone());
                if may_write {
                    self.writes.insert(anything);
                }
            }
        }
    }

    /// Returns a table, or anything in any source where the source is known only when the step starts.
    pub(crate) fn place_in(source: &str, table: impl FnOnce(String) -> Resource) -> Resource {
        match expr::has_template(source) {
            true => Resource::AnySource,
            false => table(source.to_string()),
        }
    }

    /// SQL given as a property: literal or Jinja text, or Python that makes it.
    pub fn sql_prop(&mut self, source: &str, sql: &Prop, scope: &FlowScope<'_>, may_write: bool) {
        self.read_uses(&sql.uses(), scope);
        match sql {
            Prop::Literal(text) => self.sql(source, text.as_str().unwrap_or_default(), scope, may_write),
            Prop::Jinja { code, .. } => self.sql(source, &code.text, scope, may_write),
            _ => {
                let anything = Self::place_in(source, Resource::Source);
                self.reads.insert(anything.clone());
                if may_write {
                    self.writes.insert(anything);
                }
            }
        }
    }
}

/// Returns the variable that a name means in a scope.
pub fn variable(name: &str, scope: &FlowScope<'_>) -> Resource {
    if scope.locals.contains(name) {
        return Resource::Local {
            frame: scope.frame,
            name: name.to_string(),
        };
    }
    Resource::Variable(name.to_string())
}
