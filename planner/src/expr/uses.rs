//! What an expression uses of the world around it.

use std::collections::{BTreeMap, BTreeSet};

/// A table read from an expression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableUse {
    pub source: String,
    pub database: Option<String>,
    pub namespace: Option<String>,
    pub table: String,
}

/// Which columns are used of variables that may hold rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowUses {
    /// Columns asked for by constant names, by variable.
    columns: BTreeMap<String, BTreeSet<String>>,
    /// Variables used in a way that may ask for any column.
    whole: BTreeSet<String>,
    /// A variable known only when running.
    any: bool,
}

impl RowUses {
    /// `var('row')['column']`.
    pub fn column(&mut self, variable: &str, column: &str) {
        let columns = self.columns.entry(variable.to_string()).or_default();
        columns.insert(column.to_string());
    }

    /// Notes that the variable is used as a whole.
    pub fn whole(&mut self, variable: &str) {
        self.whole.insert(variable.to_string());
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &RowUses) {
        for (variable, columns) in &other.columns {
            let own = self.columns.entry(variable.clone()).or_default();
            own.extend(columns.iter().cloned());
        }
        self.whole.extend(other.whole.iter().cloned());
        self.any |= other.any;
    }

    /// Returns the columns used of a variable; none: any.
    pub fn of(&self, variable: &str) -> Option<BTreeSet<String>> {
        let any = self.any || self.whole.contains(variable);
        (!any).then(|| self.columns.get(variable).cloned().unwrap_or_default())
    }
}

/// Variables, tables and queries that an expression reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Uses {
    /// Names given to `var` or `is_var_defined`.
    pub variables: BTreeSet<String>,
    /// Names asked for with `is_var_defined`: they may be missing.
    pub probed: BTreeSet<String>,
    /// `var(x)` with a name that only the run knows.
    pub any_variable: bool,
    pub tables: BTreeSet<TableUse>,
    /// Queries: source and SQL.
    pub queries: BTreeSet<(String, String)>,
    /// Sources of which anything may be read: the table or the SQL is not a literal.
    pub sources: BTreeSet<String>,
    /// A source that only the run knows.
    pub any_source: bool,
    /// The response of the step's request.
    pub response: bool,
    /// Variables whose lists or maps are changed in place.
    pub changed: BTreeSet<String>,
    /// The status of that response: then the step decides what a success is.
    pub status: bool,
    /// What reaches outside of the run, so that it can't be held back or repeated: a file, a network, a clock to wait for.
    pub outside: Option<String>,
    /// The time of day: `now()` and `today()`.
    pub clock: bool,
    pub rows: RowUses,
}

impl Uses {
    /// Tells whether no variable has a part in it.
    pub fn is_fixed(&self) -> bool {
        self.variables.is_empty() && !self.any_variable
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Uses) {
        self.variables.extend(other.variables.iter().cloned());
        self.probed.extend(other.probed.iter().cloned());
        self.any_variable |= other.any_variable;
        self.tables.extend(other.tables.iter().cloned());
        self.queries.extend(other.queries.iter().cloned());
        self.sources.extend(other.sources.iter().cloned());
        self.any_source |= other.any_source;
        self.response |= other.response;
        self.status |= other.status;
        self.clock |= other.clock;
        self.changed.extend(other.changed.iter().cloned());
        if self.outside.is_none() {
            self.outside.clone_from(&other.outside);
        }
        self.rows.merge(&other.rows);
    }

    /// Records a call of one of the functions of the language. Arguments are `None` where they are not literal strings.
    /// Returns whether `function` is one of them.
    pub fn call(&mut self, function: &str, args: &[Option<&str>], names: &[(&str, Option<&str>)]) -> bool {
        let arg = |position: usize, name: &str| -> Option<Option<&str>> {
            let named = names.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
            // The names that 1.2 had.
            let older = match name {
                "source" => &["source_name"][..],
                "table" => &["table_name"][..],
                "sql" => &["query"][..],
                "database" => &["database_name"][..],
                "namespace" => &["spacename_name"][..],
                _ => &[],
            };
            let older = names.iter().find(|(n, _)| older.contains(n)).map(|(_, v)| *v);
            args.get(position).copied().or(named).or(older)
        };
        match function {
            "var" | "is_var_defined" => match arg(0, "name") {
                Some(Some(name)) => {
                    self.variables.insert(name.to_string());
                    match function {
                        "is_var_defined" => drop(self.probed.insert(name.to_string())),
                        _ => self.rows.whole(name),
                    }
                }
                _ => {
                    self.any_variable = true;
                    self.rows.any |= function == "var";
                }
            },
            "table" | "query" | "query_scalar" => {
                let Some(Some(source)) = arg(0, "source") else {
                    self.any_source = true;
                    return true;
                };
                let second = arg(1, if function == "table" { "table" } else { "sql" });
                match (function, second) {
                    ("table", Some(Some(table))) => {
                        let (database, namespace) = (arg(2, "database"), arg(3, "namespace"));
                        if database == Some(None) || namespace == Some(None) {
                            self.sources.insert(source.to_string());
                            return true;
                        }
                        self.tables.insert(TableUse {
                            source: source.to_string(),
                            database: database.flatten().map(str::to_string),
                            namespace: namespace.flatten().map(str::to_string),
                            table: table.to_string(),
                        });
                    }
                    ("query" | "query_scalar", Some(Some(sql))) => {
                        self.queries.insert((source.to_string(), sql.to_string()));
                    }
                    _ => {
                        self.sources.insert(source.to_string());
                    }
                }
            }
            "now" | "today" => self.clock = true,
            _ => return false,
        }
        true
    }

    /// Something of the language is used in a way that can't be followed: it may read anything.
    pub fn anything(&mut self) {
        self.any_variable = true;
        self.any_source = true;
        self.rows.any = true;
    }

    /// Records `var('variable')['column']`.
    pub fn column(&mut self, variable: &str, column: &str) {
        self.variables.insert(variable.to_string());
        self.rows.column(variable, column);
    }
}
