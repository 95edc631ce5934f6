//! The queries by which rows and their snapshot are compared.

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

/// How rows ended that were being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Sent,
    /// Nobody knows whether they were sent, and they may be sent again: they are, or taken back where they are gone.
    Unsure,
    /// Nobody knows whether they were sent, and they must not be sent twice.
    InDoubt,
}

pub const REMOVED: &str = "removed";
pub const IN_DOUBT: &str = "in_doubt";
const UNSURE: &str = "unsure";

impl Comparison {
    fn dialect(&self) -> Dialect {
        self.names.dialect
    }

    fn list(&self, prefix: &str) -> String {
        let names = self
            .columns
            .iter()
            .map(|column| format!("{prefix}{}", self.names.quote(&column.name)));
        names.collect::<Vec<_>>().join(", ")
    }

    fn keys(&self) -> impl Iterator<Item = String> {
        self.columns
            .iter()
            .filter(|column| column.is_key)
            .map(|column| self.names.quote(&column.name))
    }

    /// What tells rows from each other, in one text.
    fn key_text(&self) -> String {
        let keys = self.columns.iter().filter(|column| column.is_key);
        keys.map(|column| column.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Returns the columns that tell rows of a snapshot from each other.
    pub fn key(&self) -> Vec<String> {
        let keys = self.columns.iter().filter(|column| column.is_key);
        std::iter::once(self.names.folded("scope"))
            .chain(keys.map(|column| column.name.clone()))
            .collect()
    }

    fn literal(&self, value: &str) -> String {
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

    /// Returns a query without rows, whose columns are those of [`Comparison::pending`].
    pub fn nothing_pending(&self, id: &str, at: &str) -> String {
        let values = self.list("");
        let number = format!("CAST(1 AS {})", self.names.integer());
        let empty = text(self.dialect(), "''");
        let meta = self.pending_columns([number.as_str(), &empty, &empty, &empty], (id, at));
        format!("SELECT {values}, {meta} FROM {} WHERE 1 = 0", self.names.rows)
    }

    /// What rows that are sent have beside their values: number, change, time of the last sending and what was kept of its
    /// answer; and what is the same for all of them.
    fn pending_columns(&self, values: [&str; 4], (id, at): (&str, &str)) -> String {
        let (id, at, definition) = (self.literal(id), self.literal(at), self.literal(&self.definition));
        let [number, change, sent_at, response] = values;
        let all = [
            (number, "n"),
            (change, "change"),
            (sent_at, "sent_at"),
            (response, "response"),
            (&id, "sync"),
            (&at, "at"),
            (&definition, "definition"),
        ];
        let all = all.map(|(value, name)| format!("{value} AS {}", self.names.meta(name)));
        all.join(", ")
    }

    /// Returns the query of the rows that are sent, numbered from 0 in the order in which they are. `id`: of this sending;
    /// `at`: its time.
    pub fn pending(&self, sending: &Sending, (id, at): (&str, &str)) -> String {
        let names = &self.names;
        let order = format!("d.{}", names.meta("order"));
        let keys: Vec<String> = self.keys().map(|key| format!("d.{key}")).collect();
        let number = format!(
            "CAST(row_number() OVER (ORDER BY {order}, {}) - 1 AS {})",
            keys.join(", "),
            names.integer()
        );
        let of = |name: &str| format!("d.{}", names.meta(name));
        let meta = self.pending_columns(
            [&number, &of("change"), &of("sent_at"), &of("response")],
            (id, at),
        );
        format!(
            "SELECT {}, {meta} FROM ({}) d",
            self.list("d."),
            self.changes(sending)
        )
    }

    /// The rows that are sent, with what became of them.
    fn changes(&self, sending: &Sending) -> String {
        let names = &self.names;
        let here = format!(
            "(SELECT {}, 1 AS {} FROM {}) s",
            self.list(""),
            names.meta("here"),
            names.rows
        );
        let known = ["change", "status", "at", "definition", "response"]
            .map(|name| names.meta(name))
            .join(", ");
        let there = format!(
            "(SELECT {}, {known}, 1 AS {} FROM {} WHERE {} = '{}') t",
            self.list(""),
            names.meta("there"),
            names.snapshot,
            names.meta("scope"),
            self.scope
        );
        let same = self
            .keys()
            .map(|key| format!("s.{key} = t.{key}"))
            .collect::<Vec<_>>()
            .join(" AND ");
        let wanted = |change: Change| sending.changes.contains(&change);
        let [added, changed, removed] = self.conditions(sending);
        let mut of_rows = Vec::new();
        of_rows.extend(wanted(Change::Added).then(|| added.clone()));
        of_rows.extend(wanted(Change::Changed).then_some(changed));
        let select = self.compared(sending, &added);
        match (wanted(Change::Removed), of_rows.is_empty()) {
            (false, _) => format!(
                "{select} FROM {here} LEFT JOIN {there} ON {same} WHERE {}",
                of_rows.join(" OR ")
            ),
            (true, true) => format!("{select} FROM {there} LEFT JOIN {here} ON {same} WHERE {removed}"),
            // It has no FULL JOIN.
            (true, false) if self.dialect() == Dialect::MySql => format!(
                "{select} FROM {here} LEFT JOIN {there} ON {same} WHERE {} UNION ALL {select} FROM {there} LEFT JOIN {here} ON {same} WHERE {removed}",
                of_rows.join(" OR ")
            ),
            (true, false) => format!(
                "{select} FROM {here} FULL JOIN {there} ON {same} WHERE {} OR {removed}",
                of_rows.join(" OR ")
            ),
        }
    }

    /// The values of a row: of a removed one, those that were sent.
    fn compared(&self, sending: &Sending, added: &str) -> String {
        let names = &self.names;
        let here = format!("s.{}", names.meta("here"));
        let values = self.columns.iter().map(|column| {
            let name = names.quote(&column.name);
            format!("CASE WHEN {here} IS NULL THEN t.{name} ELSE s.{name} END AS {name}")
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let each = |of: &dyn Fn(Change) -> String| {
            format!(
                "CASE WHEN {here} IS NULL THEN {} WHEN {added} THEN {} ELSE {} END",
                of(Change::Removed),
                of(Change::Added),
                of(Change::Changed)
            )
        };
        let change = each(&|change| format!("'{}'", change.name()));
        let order = each(&|change| {
            let place = sending.changes.iter().position(|known| *known == change);
            place.unwrap_or_default().to_string()
        });
        let or_nothing = |name: &str| text(self.dialect(), &format!("COALESCE(t.{}, '')", names.meta(name)));
        let meta = [
            (text(self.dialect(), &change), "change"),
            (order, "order"),
            (or_nothing("at"), "sent_at"),
            (or_nothing("response"), "response"),
        ];
        let meta = meta.map(|(value, name)| format!("{value} AS {}", names.meta(name)));
        format!("SELECT {values}, {}", meta.join(", "))
    }

    /// Which rows are added, changed and removed.
    fn conditions(&self, sending: &Sending) -> [String; 3] {
        let of = |name: &str| format!("t.{}", self.names.meta(name));
        let (status, change) = (of("status"), of("change"));
        let (there, here) = (of("there"), format!("s.{}", self.names.meta("here")));
        let (again, held) = match sending.in_doubt {
            true => (format!("{status} IN ('{UNSURE}', '{IN_DOUBT}')"), String::new()),
            false => (
                format!("{status} = '{UNSURE}'"),
                format!(" AND {status} <> '{IN_DOUBT}'"),
            ),
        };
        // Whether the API has them is not known: most likely what was asked for was done.
        let made_again = format!("{again} AND {change} <> 'changed'");
        let added =
            format!("({here} IS NOT NULL AND ({there} IS NULL OR {status} = '{REMOVED}' OR ({made_again})))");
        let known = format!("{status} <> '{REMOVED}'{held}");
        let mut differs: Vec<String> = self
            .columns
            .iter()
            .filter_map(|column| Some(format!("({})", self.differs(column)?)))
            .collect();
        differs.push(again.clone());
        if sending.resend {
            differs.push(format!("{} <> '{}'", of("definition"), self.definition));
        }
        if sending.full {
            differs = vec!["1 = 1".into()];
        }
        let changed = format!(
            "({here} IS NOT NULL AND {there} IS NOT NULL AND {known} AND NOT ({made_again}) AND ({}))",
            differs.join(" OR ")
        );
        [added, changed, format!("({here} IS NULL AND {known})")]
    }

    /// Tells whether a column is another one than it was; none where it is not compared.
    fn differs(&self, column: &Compared) -> Option<String> {
        let name = self.names.quote(&column.name);
        let (a, b) = (format!("s.{name}"), format!("t.{name}"));
        // Names that are the same but for their case are one key to some databases, and another text to the API.
        let folds = matches!(self.dialect(), Dialect::MySql | Dialect::Sqlite);
        if !(column.is_compared || (column.is_key && column.is_text && folds)) {
            return None;
        }
        Some(match (self.dialect(), column.is_text) {
            (Dialect::MySql, true) => format!("NOT (CAST({a} AS BINARY) <=> CAST({b} AS BINARY))"),
            (Dialect::MySql, false) => format!("NOT ({a} <=> {b})"),
            // Whatever order the column sorts in: `NOCASE` takes two texts for one.
            (Dialect::Sqlite, true) => format!("CAST({a} AS BLOB) IS DISTINCT FROM CAST({b} AS BLOB)"),
            // `json` and others have no equality.
            (Dialect::Postgres, true) => format!("CAST({a} AS text) IS DISTINCT FROM CAST({b} AS text)"),
            (Dialect::Generic, _) => {
                format!(
                    "({a} <> {b} OR ({a} IS NULL AND {b} IS NOT NULL) OR ({a} IS NOT NULL AND {b} IS NULL))"
                )
            }
            _ => format!("{a} IS DISTINCT FROM {b}"),
        })
    }

    /// Returns the query of the rows that a snapshot gets: those of a sending that ended so, by their numbers. `answers`:
    /// whether something was kept of what they were answered.
    pub fn ended(&self, ended: Ended, ranges: &[(u64, u64)], answers: bool) -> String {
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
            Ended::Unsure => self.literal(UNSURE),
            Ended::InDoubt => self.literal(IN_DOUBT),
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
        let n = of("n");
        let which = ranges.iter().map(|(from, to)| match from == to {
            true => format!("{n} = {from}"),
            false => format!("{n} BETWEEN {from} AND {to}"),
        });
        format!(
            "SELECT {}, {} FROM {} p{join} WHERE {}",
            self.list("p."),
            meta.join(", "),
            names.pending,
            which.collect::<Vec<_>>().join(" OR ")
        )
    }

    /// Returns the query of how many rows are of which kind.
    pub fn counted(&self, sending: &Sending) -> String {
        let change = self.names.meta("change");
        format!(
            "SELECT {change} AS a, count(*) AS b FROM ({}) d GROUP BY {change}",
            self.changes(sending)
        )
    }

    /// Returns the query of how many of the rows that are being sent are of which kind.
    pub fn counted_pending(&self) -> String {
        let change = self.names.meta("change");
        format!(
            "SELECT {change} AS a, count(*) AS b FROM {} GROUP BY {change}",
            self.names.pending
        )
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

    /// Returns the query of how many rows there are, and how many have no key.
    pub fn counted_rows(&self) -> String {
        let nulls = self
            .keys()
            .map(|key| format!("{key} IS NULL"))
            .collect::<Vec<_>>()
            .join(" OR ");
        format!(
            "SELECT count(*) AS a, sum(CASE WHEN {nulls} THEN 1 ELSE 0 END) AS b FROM {}",
            self.names.rows
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

    /// Returns the statement after which rows in doubt count as sent.
    pub fn doubts_are_sent(&self) -> String {
        let names = &self.names;
        format!(
            "UPDATE {} SET {status} = CASE WHEN {} = 'removed' THEN '{REMOVED}' ELSE 'sent' END WHERE {} = '{}' AND {status} = '{IN_DOUBT}'",
            names.snapshot,
            names.meta("change"),
            names.meta("scope"),
            self.scope,
            status = names.meta("status"),
        )
    }
}
