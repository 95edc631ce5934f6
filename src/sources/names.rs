//! A side table and its target by their names, and the statements over both that databases have in common.

use super::overlap::Skip;

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
    pub fn alike(&self, skip: &Skip, (a, b): (&str, &str), equal: impl Fn(&str, &str) -> String) -> String {
        let at = (self.quote)(&skip.column);
        let others = self.columns.iter().filter(|name| skip.compares(name));
        let others = others.map(|name| {
            let name = (self.quote)(name);
            equal(&format!("{a}.{name}"), &format!("{b}.{name}"))
        });
        let all: Vec<String> = std::iter::once(format!("{a}.{at} = {b}.{at}"))
            .chain(others)
            .collect();
        all.join(" AND ")
    }

    /// Adds the rows that are like none of the target's, `t`, that meet the condition `from`. `skip` says by what rows are compared;
    /// `equal` compares a column of both.
    pub fn insert_unlike(
        &self,
        skip: &Skip,
        from: Option<&str>,
        equal: impl Fn(&str, &str) -> String,
    ) -> String {
        let from = from.map_or_else(String::new, |from| format!(" AND {from}"));
        format!(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM (SELECT {named} FROM {side}) s \
             WHERE NOT EXISTS (SELECT 1 FROM {target} t WHERE {alike}{from})",
            target = self.target,
            columns = self.list(&self.columns),
            named = self.named(),
            side = self.side,
            alike = self.alike(skip, ("t", "s"), equal),
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
