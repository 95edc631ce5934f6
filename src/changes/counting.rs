//! How many rows there are, were sent, and have changed, as queries.

use super::comparison::{Comparison, IN_DOUBT, REMOVED};

impl Comparison {
    /// Returns the query of how many rows are of which kind. `from`: what stands behind FROM for them.
    pub fn counted(&self, from: &str) -> String {
        let change = self.names.meta("change");
        format!("SELECT {change} AS a, count(*) AS b FROM {from} GROUP BY {change}")
    }

    /// Returns the query of how many rows there are, how many of them have no key, and how many keys several rows have.
    pub fn counted_rows(&self) -> String {
        let (n, rows) = (self.names.meta("n"), &self.names.rows);
        let keys = self.keys().collect::<Vec<_>>();
        let nulls = keys
            .iter()
            .map(|key| format!("{key} IS NULL"))
            .collect::<Vec<_>>()
            .join(" OR ");
        let keys = keys.join(", ");
        format!(
            "SELECT sum({n}) AS a, sum(CASE WHEN {nulls} THEN {n} ELSE 0 END) AS b, sum(CASE WHEN {n} > 1 THEN 1 ELSE 0 END) AS c FROM (SELECT {keys}, count(*) AS {n} FROM {rows} GROUP BY {keys}) k"
        )
    }

    /// Returns the query of keys that several rows have: some of them, and how many rows each.
    pub fn same_keys(&self) -> String {
        let keys = self.keys().collect::<Vec<_>>().join(", ");
        format!(
            "SELECT {keys}, count(*) AS {} FROM {} GROUP BY {keys} HAVING count(*) > 1 LIMIT 3",
            self.names.meta("n"),
            self.names.rows
        )
    }

    /// Returns the query of how many rows the step knows, those that are gone, too.
    pub fn counted_ever(&self) -> String {
        let names = &self.names;
        format!(
            "SELECT count(*) AS a FROM {} WHERE {} = '{}'",
            names.snapshot,
            names.meta("scope"),
            self.scope
        )
    }

    /// Returns the query of how many rows the API has, how many of them in doubt, how many another request has
    /// sent, and how many by another key.
    pub fn counted_sent(&self) -> String {
        let names = &self.names;
        let (status, definition) = (names.meta("status"), names.meta("definition"));
        format!(
            "SELECT count(*) AS a, sum(CASE WHEN {status} = '{IN_DOUBT}' THEN 1 ELSE 0 END) AS b, sum(CASE WHEN {definition} <> '{}' THEN 1 ELSE 0 END) AS c, sum(CASE WHEN {} <> {} THEN 1 ELSE 0 END) AS d FROM {} WHERE {} = '{}' AND {status} <> '{REMOVED}'",
            self.definition,
            names.meta("key"),
            self.literal(&self.key_text()),
            names.snapshot,
            names.meta("scope"),
            self.scope
        )
    }
}
