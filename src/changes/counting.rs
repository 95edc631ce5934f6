//! How many rows there are, were sent, and have changed, as queries.

use sequor_planner::Dialect;

use super::comparison::{Comparison, IN_DOUBT, REMOVED};

impl Comparison {
    /// Returns the query of how many rows are of which kind. `from`: what stands behind FROM for them.
    pub fn counted(&self, from: &str) -> String {
        let change = self.names.meta("change");
        format!("SELECT {change} AS a, count(*) AS b FROM {from} GROUP BY {change}")
    }

    /// Returns the query of how many rows there are, how many of them have no key, and whether some have the same: a number above 0.
    pub fn counted_rows(&self) -> String {
        let (n, rows) = (self.names.meta("n"), &self.names.rows);
        let keys = self.keys().collect::<Vec<_>>();
        // PostgreSQL sorts numbers faster than it hashes them, and DataFusion has a set of its own for them.
        let is_fast = matches!(self.dialect(), Dialect::Postgres | Dialect::Staging);
        if let ([key], true) = (keys.as_slice(), is_fast && self.text_keys().is_empty()) {
            return format!(
                "SELECT count(*) AS a, count(*) - count({key}) AS b, count({key}) - count(DISTINCT {key}) AS c FROM {rows}"
            );
        }
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

    /// Returns the query of how many rows the API has, how many of them in doubt, how many another request has sent, and how
    /// many by another key; then of all steps of the table: how many rows of others are there by another key, how many rows are
    /// there, and how many by another key and how many in all, those that are gone among them.
    pub fn counted_sent(&self) -> String {
        let names = &self.names;
        let (status, definition) = (names.meta("status"), names.meta("definition"));
        let own = format!("{} = '{}'", names.meta("scope"), self.scope);
        let others = format!("{} <> '{}'", names.meta("scope"), self.scope);
        let there = format!("{status} <> '{REMOVED}'");
        let other_key = self.other_key();
        let counted = [
            ("a", vec![own.clone(), there.clone()]),
            ("b", vec![own.clone(), format!("{status} = '{IN_DOUBT}'")]),
            (
                "c",
                vec![
                    own.clone(),
                    there.clone(),
                    format!("{definition} <> '{}'", self.definition),
                ],
            ),
            ("d", vec![own, there.clone(), other_key.clone()]),
            ("e", vec![others, there.clone(), other_key.clone()]),
            ("f", vec![there]),
            ("g", vec![other_key]),
        ];
        let counted = counted.map(|(name, conditions)| {
            format!(
                "sum(CASE WHEN {} THEN 1 ELSE 0 END) AS {name}",
                conditions.join(" AND ")
            )
        });
        format!(
            "SELECT {}, count(*) AS h FROM {}",
            counted.join(", "),
            names.snapshot
        )
    }
}
