//! The queries by which rows and their snapshot are compared.

use std::collections::BTreeSet;

use sequor_planner::Dialect;
use sequor_planner::ops::Change;

use super::columns::Compared;
use super::names::{Names, text};

/// Rows and the snapshot that they are compared with.
pub struct Comparison {
    pub names: Names,
    pub columns: Vec<Compared>,
    /// Which rows of the snapshot are this step's.
    pub scope: String,
    /// What the request is now.
    pub definition: String,
}

/// Which rows are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sending {
    pub changes: Vec<Change>,
    /// Whether rows that did not change are sent, too.
    pub full: bool,
    /// Whether rows are sent again that another request sent.
    pub resend: bool,
    /// Whether rows are sent of which nobody knows whether they were.
    pub in_doubt: bool,
}

/// What tells a sending from others.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'s> {
    pub id: &'s str,
    /// Its time.
    pub at: &'s str,
    /// How many rows its requests have; none: one row each, by itself.
    pub batch: Option<u64>,
}

/// How rows ended that were being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Sent,
    /// Nobody knows whether they were sent, and they must not be sent twice.
    InDoubt,
    /// They may have been sent, and were refused when they were sent again.
    Refused,
}

/// What a snapshot keeps of a row beside its values.
pub const SENT: [&str; 7] = ["scope", "key", "change", "status", "at", "definition", "response"];

pub const REMOVED: &str = "removed";
pub const IN_DOUBT: &str = "in_doubt";
/// What the API may have of a row, or not: whatever the row is, it is another one.
pub const MAYBE: &str = "maybe";
/// What the API has of a row that is to be sent again, as it is.
pub const AGAIN: &str = "again";

impl Comparison {
    pub(super) fn dialect(&self) -> Dialect {
        self.names.dialect
    }

    pub(super) fn list(&self, prefix: &str) -> String {
        let names = self
            .columns
            .iter()
            .map(|column| format!("{prefix}{}", self.names.quote(&column.name)));
        names.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        self.columns
            .iter()
            .filter(|column| column.is_key)
            .map(|column| self.names.quote(&column.name))
    }

    /// What tells rows from each other, as messages name it.
    pub(super) fn key_names(&self) -> String {
        let keys = self.columns.iter().filter(|column| column.is_key);
        let names: Vec<&str> = keys.map(|column| column.name.as_str()).collect();
        names.join(", ")
    }

    /// The same, in whatever order and case the columns are named.
    pub(super) fn key_text(&self) -> String {
        let keys = self.columns.iter().filter(|column| column.is_key);
        let mut names: Vec<String> = keys.map(|column| column.name.to_ascii_lowercase()).collect();
        names.sort();
        names.join(", ")
    }

    /// The condition that a row of a snapshot was kept by another key. Snapshots of before name the columns in their own order.
    pub(super) fn other_key(&self) -> String {
        let known = [self.key_text(), self.key_names()].map(|text| self.literal(&text));
        format!("{} NOT IN ({})", self.names.meta("key"), known.join(", "))
    }

    /// Returns the columns that tell rows of a snapshot from each other.
    pub fn key(&self) -> Vec<String> {
        let keys = self.columns.iter().filter(|column| column.is_key);
        std::iter::once(self.names.folded("scope"))
            .chain(keys.map(|column| column.name.clone()))
            .collect()
    }

    pub(super) fn literal(&self, value: &str) -> String {
        text(self.dialect(), &format!("'{}'", value.replace('\'', "''")))
    }

    /// Returns a query without rows, whose columns are those of a snapshot.
    pub fn nothing_sent(&self) -> String {
        format!(
            "SELECT {} FROM {} WHERE 1 = 0",
            self.sent("''", "''"),
            self.names.rows
        )
    }

    /// Returns the query of a snapshot in which all rows count as sent.
    pub fn all_sent(&self, at: &str) -> String {
        let at = format!("'{at}'");
        format!("SELECT {} FROM {}", self.sent(&at, "'baseline'"), self.names.rows)
    }

    /// The columns of a snapshot, of the rows.
    fn sent(&self, at: &str, status: &str) -> String {
        let dialect = self.dialect();
        let (scope, definition) = (self.literal(&self.scope), self.literal(&self.definition));
        let meta = [
            (scope, "scope"),
            (self.literal(&self.key_text()), "key"),
            (self.literal("added"), "change"),
            (text(dialect, status), "status"),
            (text(dialect, at), "at"),
            (definition, "definition"),
            (text(dialect, "''"), "response"),
        ];
        let meta = meta.map(|(value, name)| format!("{value} AS {}", self.names.meta(name)));
        format!("{}, {}", self.list(""), meta.join(", "))
    }

    /// Returns a query without rows, whose columns are those of [`Comparison::pending`], as the rows have them.
    pub fn nothing_pending(&self, stamp: Stamp<'_>) -> String {
        let from = format!("{} WHERE 1 = 0", self.names.rows);
        self.nothing_pending_of(stamp, &self.list(""), &from)
    }

    /// Returns the same, where some columns have room for the rows' values, and for those that were sent.
    pub fn nothing_pending_of_both(&self, stamp: Stamp<'_>, wider: &BTreeSet<String>) -> String {
        let values = self.columns.iter().map(|column| {
            let name = self.names.quote(&column.name);
            match wider.contains(&column.name) {
                true => format!("COALESCE(s.{name}, {}) AS {name}", self.as_sent(column)),
                false => format!("s.{name}"),
            }
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let names = &self.names;
        let from = format!(
            "(SELECT {} FROM {}) s LEFT JOIN {} t ON 1 = 0 WHERE 1 = 0",
            self.list(""),
            names.rows,
            names.snapshot
        );
        self.nothing_pending_of(stamp, &values, &from)
    }

    fn nothing_pending_of(&self, stamp: Stamp<'_>, values: &str, from: &str) -> String {
        let number = format!("CAST(1 AS {})", self.names.integer());
        let empty = text(self.dialect(), "''");
        let spellings = vec![empty.clone(); self.folded_keys().len()];
        let meta = self.pending_columns([number.as_str(), &empty, &empty, &empty], spellings, stamp);
        format!("SELECT {values}, {meta} FROM {from}")
    }

    /// What rows that are sent have beside their values: number, change, time of the last sending and what was kept of its
    /// answer; what is the same for all of them; and how their keys were spelled.
    fn pending_columns(&self, values: [&str; 4], spellings: Vec<String>, stamp: Stamp<'_>) -> String {
        let (id, at) = (self.literal(stamp.id), self.literal(stamp.at));
        let definition = self.literal(&self.definition);
        let batch = format!("CAST({} AS {})", stamp.batch.unwrap_or(0), self.names.integer());
        let [number, change, sent_at, response] = values;
        let all = [
            (number, "n"),
            (change, "change"),
            (sent_at, "sent_at"),
            (response, "response"),
            (&id, "sync"),
            (&at, "at"),
            (&definition, "definition"),
            (&batch, "batch"),
        ];
        let all = all.map(|(value, name)| format!("{value} AS {}", self.names.meta(name)));
        let spellings = spellings.into_iter().enumerate();
        let spellings = spellings.map(|(at, value)| format!("{value} AS {}", self.names.spelling(at)));
        all.into_iter().chain(spellings).collect::<Vec<_>>().join(", ")
    }

    /// Returns the query of the rows that are sent, numbered in the order in which they are. `from`: the first number.
    pub fn pending(&self, sending: &Sending, stamp: Stamp<'_>, from: u64) -> String {
        let names = &self.names;
        let order = format!("d.{}", names.meta("order"));
        let keys: Vec<String> = self.keys().map(|key| format!("d.{key}")).collect();
        let number = format!(
            "CAST(row_number() OVER (ORDER BY {order}, {}) - 1 + {from} AS {})",
            keys.join(", "),
            names.integer()
        );
        let of = |name: &str| format!("d.{}", names.meta(name));
        let spellings = (0..self.folded_keys().len()).map(|at| format!("d.{}", names.spelling(at)));
        let known = [number.as_str(), &of("change"), &of("sent_at"), &of("response")];
        let meta = self.pending_columns(known, spellings.collect(), stamp);
        format!(
            "SELECT {}, {meta} FROM ({}) d",
            self.list("d."),
            self.changes(sending)
        )
    }

    /// Returns the query of the numbers of rows that are being sent, and count as sent already.
    pub fn ended_already(&self) -> String {
        let names = &self.names;
        let same: Vec<String> = self.keys().map(|key| format!("p.{key} = t.{key}")).collect();
        format!(
            "SELECT p.{n} AS n FROM {} p JOIN {} t ON {} AND p.{at} = t.{at} WHERE t.{} = '{}' ORDER BY p.{n}",
            names.pending,
            names.snapshot,
            same.join(" AND "),
            names.meta("scope"),
            self.scope,
            n = names.meta("n"),
            at = names.meta("at"),
        )
    }

    /// Returns the query of the rows that a snapshot gets: those of a sending that ended so, by its id and their numbers.
    /// `answers`: whether something was kept of what they were answered.
    pub fn ended(&self, (id, ended): (&str, Ended), ranges: &[(u64, u64)], answers: bool) -> String {
        let names = &self.names;
        let of = |name: &str| format!("p.{}", names.meta(name));
        let status = match ended {
            Ended::Sent => {
                let sent = format!(
                    "CASE WHEN {} = 'removed' THEN '{REMOVED}' ELSE 'sent' END",
                    of("change")
                );
                text(self.dialect(), &sent)
            }
            Ended::InDoubt => self.literal(IN_DOUBT),
            Ended::Refused => {
                let refused = format!(
                    "CASE WHEN {} = 'changed' THEN '{AGAIN}' ELSE '{MAYBE}' END",
                    of("change")
                );
                text(self.dialect(), &refused)
            }
        };
        // What may have been sent is sent again as the same: by its idempotency key the API knows it.
        let at = of(if ended == Ended::Sent { "at" } else { "sent_at" });
        let (response, join) = match answers && ended == Ended::Sent {
            true => (
                text(
                    self.dialect(),
                    &format!("COALESCE(r.{}, {})", names.meta("response"), of("response")),
                ),
                format!(
                    " LEFT JOIN {} r ON r.{} = {}",
                    names.answers,
                    names.meta("n"),
                    of("n")
                ),
            ),
            false => (of("response"), String::new()),
        };
        let meta = [
            (self.literal(&self.scope), "scope"),
            (self.literal(&self.key_text()), "key"),
            (of("change"), "change"),
            (status, "status"),
            (at, "at"),
            (of("definition"), "definition"),
            (response, "response"),
        ];
        let meta = meta.map(|(value, name)| format!("{value} AS {}", names.meta(name)));
        format!(
            "SELECT {}, {} FROM {} p{join} WHERE {}",
            self.list("p."),
            meta.join(", "),
            names.pending,
            self.those(id, ranges)
        )
    }

    /// The condition that rows `p` of a sending are those of some numbers.
    pub(super) fn those(&self, id: &str, ranges: &[(u64, u64)]) -> String {
        let n = format!("p.{}", self.names.meta("n"));
        let which = ranges.iter().map(|(from, to)| match from == to {
            true => format!("{n} = {from}"),
            false => format!("{n} BETWEEN {from} AND {to}"),
        });
        let which = which.collect::<Vec<_>>().join(" OR ");
        format!("p.{} = '{id}' AND ({which})", self.names.meta("sync"))
    }

    /// Returns the query of the rows to send, in their order.
    pub fn items(&self) -> String {
        let names = &self.names;
        let meta = ["change", "sent_at", "response"]
            .map(|name| names.meta(name))
            .join(", ");
        format!(
            "SELECT {}, {meta} FROM {} ORDER BY {}",
            self.list(""),
            names.pending,
            names.meta("n")
        )
    }

    /// Returns the query of the keys of some rows in doubt.
    pub fn some_in_doubt(&self) -> String {
        let names = &self.names;
        format!(
            "SELECT {} FROM {} WHERE {} = '{}' AND {} = '{IN_DOUBT}' LIMIT 3",
            self.keys().collect::<Vec<_>>().join(", "),
            names.snapshot,
            names.meta("scope"),
            self.scope,
            names.meta("status")
        )
    }

    /// Returns the statement after which rows that were sent differ until they are sent again: all of them, or those that another
    /// request has sent.
    pub fn sent_are_old(&self, sending: &Sending) -> String {
        let names = &self.names;
        let by_others = match sending.full {
            true => String::new(),
            false => format!(" AND {} <> '{}'", names.meta("definition"), self.definition),
        };
        format!(
            "UPDATE {} SET {status} = '{AGAIN}' WHERE {} = '{}' AND {status} = 'sent'{by_others}",
            names.snapshot,
            names.meta("scope"),
            self.scope,
            status = names.meta("status"),
        )
    }

    /// Returns the statement after which rows in doubt count as sent, or, where they are `sent_again`, as rows that the API may have.
    pub fn settle_doubts(&self, sent_again: bool) -> String {
        let names = &self.names;
        let change = names.meta("change");
        let settled = match sent_again {
            true => format!("CASE WHEN {change} = 'changed' THEN '{AGAIN}' ELSE '{MAYBE}' END"),
            false => format!("CASE WHEN {change} = 'removed' THEN '{REMOVED}' ELSE 'sent' END"),
        };
        format!(
            "UPDATE {} SET {status} = {settled} WHERE {} = '{}' AND {status} = '{IN_DOUBT}'",
            names.snapshot,
            names.meta("scope"),
            self.scope,
            status = names.meta("status"),
        )
    }
}
