//! The difference between rows and what was sent of them, as a query.

use sequor_planner::Dialect;
use sequor_planner::ops::Change;

use super::columns::Compared;
use super::comparison::{AGAIN, Comparison, IN_DOUBT, MAYBE, REMOVED, Sending};
use super::names::text;

impl Comparison {
    /// The rows that are sent, with what became of them.
    pub(super) fn changes(&self, sending: &Sending) -> String {
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
        let kept = self.columns.iter().filter(|column| !column.is_lacking);
        let kept: Vec<String> = kept.map(|column| names.quote(&column.name)).collect();
        let there = format!(
            "(SELECT {}, {known}, 1 AS {} FROM {} WHERE {} = '{}') t",
            kept.join(", "),
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
        let of_rows = of_rows.join(" OR ");
        let select = self.compared(sending, &added);
        let both = |join: &str| format!("{select} FROM {here} {join} JOIN {there} ON {same}");
        match (wanted(Change::Removed), of_rows.is_empty()) {
            (false, _) => format!("{} WHERE {of_rows}", both("LEFT")),
            (true, true) => self.removed(sending, &there),
            // One pass over both.
            (true, false)
                if matches!(
                    self.dialect(),
                    Dialect::DuckDb | Dialect::Snowflake | Dialect::Staging
                ) =>
            {
                format!("{} WHERE {of_rows} OR {removed}", both("FULL"))
            }
            // MySQL has no FULL JOIN; PostgreSQL computes it by one process alone, SQLite row by row.
            (true, false) => format!(
                "{} WHERE {of_rows} UNION ALL {}",
                both("LEFT"),
                self.removed(sending, &there)
            ),
        }
    }

    /// What was sent of the rows' columns; null, where the snapshot has no such column.
    fn kept(&self) -> String {
        let names = self.columns.iter().map(|column| {
            let name = self.names.quote(&column.name);
            match column.is_lacking {
                true => format!("NULL AS {name}"),
                false => format!("t.{name}"),
            }
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// The condition that no row of others has the key of a row `t`. `others`: what stands behind FROM for them.
    fn none_like_it(&self, others: &str) -> String {
        let keys: Vec<String> = self.keys().collect();
        match self.dialect() {
            // An index of the keys is made for it, whatever the tables have.
            Dialect::MySql | Dialect::Sqlite => {
                let of_row = keys.iter().map(|key| format!("t.{key}"));
                format!(
                    "({}) NOT IN (SELECT {} FROM {others})",
                    of_row.collect::<Vec<_>>().join(", "),
                    keys.join(", ")
                )
            }
            _ => {
                let same = keys.iter().map(|key| format!("s.{key} = t.{key}"));
                format!(
                    "NOT EXISTS (SELECT 1 FROM (SELECT {} FROM {others}) s WHERE {})",
                    keys.join(", "),
                    same.collect::<Vec<_>>().join(" AND ")
                )
            }
        }
    }

    /// Returns the query of how many rows another request has sent, and none of these is. `sent`: what stands behind FROM for the
    /// rows that are sent now.
    pub fn still_by_others(&self, sent: &str) -> String {
        let names = &self.names;
        format!(
            "SELECT count(*) AS a FROM {} t WHERE t.{} = '{}' AND t.{} <> '{REMOVED}' AND t.{} <> '{}' AND {}",
            names.snapshot,
            names.meta("scope"),
            self.scope,
            names.meta("status"),
            names.meta("definition"),
            self.definition,
            self.none_like_it(sent)
        )
    }

    /// The rows that are gone, with what was sent of them.
    fn removed(&self, sending: &Sending, there: &str) -> String {
        let names = &self.names;
        if self.dialect() == Dialect::Sqlite {
            return self.removed_by_join(sending, there);
        }
        let gone = self.none_like_it(&names.rows);
        let change = format!("'{}'", Change::Removed.name());
        let meta = self.meta(&change, &self.place(sending, Change::Removed));
        format!(
            "SELECT {}, {meta} FROM {there} WHERE {} AND {gone}",
            self.kept(),
            self.known(sending)
        )
    }

    /// The same as a join: its index of the keys takes for one what the rows' columns do, as the other join of them does.
    fn removed_by_join(&self, sending: &Sending, there: &str) -> String {
        let names = &self.names;
        let keys: Vec<String> = self.keys().collect();
        let same = keys.iter().map(|key| format!("s.{key} = t.{key}"));
        let here = names.meta("here");
        let change = format!("'{}'", Change::Removed.name());
        format!(
            "SELECT {}, {} FROM {there} LEFT JOIN (SELECT {}, 1 AS {here} FROM {}) s ON {} WHERE s.{here} IS NULL AND {}",
            self.kept(),
            self.meta(&change, &self.place(sending, Change::Removed)),
            keys.join(", "),
            names.rows,
            same.collect::<Vec<_>>().join(" AND "),
            self.known(sending)
        )
    }

    /// Where rows stand among those that are sent.
    fn place(&self, sending: &Sending, change: Change) -> String {
        let place = sending.changes.iter().position(|known| *known == change);
        place.unwrap_or_default().to_string()
    }

    /// What stands behind the values of a row.
    fn meta(&self, change: &str, order: &str) -> String {
        let names = &self.names;
        let dialect = self.dialect();
        let or_nothing = |name: &str| text(dialect, &format!("COALESCE(t.{}, '')", names.meta(name)));
        let meta = [
            (text(dialect, change), "change"),
            (order.to_string(), "order"),
            (or_nothing("at"), "sent_at"),
            (or_nothing("response"), "response"),
        ];
        let meta = meta.map(|(value, name)| format!("{value} AS {}", names.meta(name)));
        let keys = self.folded_keys().into_iter().enumerate();
        let spellings = keys.map(|(at, key)| {
            let was = text(dialect, &format!("t.{key}"));
            format!("{was} AS {}", names.spelling(at))
        });
        meta.into_iter().chain(spellings).collect::<Vec<_>>().join(", ")
    }

    /// The values of a row: of a removed one, those that were sent.
    fn compared(&self, sending: &Sending, added: &str) -> String {
        let names = &self.names;
        let here = format!("s.{}", names.meta("here"));
        let values = self.columns.iter().map(|column| {
            let name = names.quote(&column.name);
            match column.is_lacking {
                true => format!("s.{name}"),
                false => {
                    let was = self.as_sent(column);
                    format!("CASE WHEN {here} IS NULL THEN {was} ELSE s.{name} END AS {name}")
                }
            }
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
        let order = each(&|change| self.place(sending, change));
        format!("SELECT {values}, {}", self.meta(&change, &order))
    }

    /// A value that was sent, beside one of the rows.
    pub(super) fn as_sent(&self, column: &Compared) -> String {
        let value = format!("t.{}", self.names.quote(&column.name));
        match self.dialect() {
            // Texts of two collations have none together: that of `json`, in MariaDB, is another one than that of a text.
            Dialect::MySql if column.is_text && !column.is_key => {
                format!("CONVERT({value} USING utf8mb4) COLLATE utf8mb4_bin")
            }
            _ => value,
        }
    }

    /// Which rows of what was sent the API has, as far as they are looked at.
    fn known(&self, sending: &Sending) -> String {
        let status = format!("t.{}", self.names.meta("status"));
        let held = match sending.in_doubt {
            true => String::new(),
            false => format!(" AND {status} <> '{IN_DOUBT}'"),
        };
        format!("{status} <> '{REMOVED}'{held}")
    }

    /// Which rows are added, changed and removed.
    fn conditions(&self, sending: &Sending) -> [String; 3] {
        let of = |name: &str| format!("t.{}", self.names.meta(name));
        let (status, change) = (of("status"), of("change"));
        let (there, here) = (of("there"), format!("s.{}", self.names.meta("here")));
        // Whether the API has them is not known: most likely what was asked for was done.
        let in_doubt = format!("{status} = '{IN_DOUBT}'");
        let made_again = match sending.in_doubt {
            true => format!("({status} = '{MAYBE}' OR ({in_doubt} AND {change} <> 'changed'))"),
            false => format!("{status} = '{MAYBE}'"),
        };
        let again = format!("{status} = '{AGAIN}'");
        let known = self.known(sending);
        let by_others = format!("{} <> '{}'", of("definition"), self.definition);
        // Where only new rows are sent, those that are sent again are new ones.
        let anew = match (
            sending.changes.contains(&Change::Changed),
            sending.full,
            sending.resend,
        ) {
            (true, ..) => None,
            (false, true, _) => Some(known.clone()),
            (false, false, true) => Some(format!("{known} AND ({again} OR {by_others})")),
            (false, false, false) => Some(again.clone()),
        };
        let anew = anew.map_or(String::new(), |anew| format!(" OR ({anew})"));
        let added = format!(
            "({here} IS NOT NULL AND ({there} IS NULL OR {status} = '{REMOVED}' OR {made_again}{anew}))"
        );
        let mut differs: Vec<String> = self
            .columns
            .iter()
            .filter_map(|column| Some(format!("({})", self.differs(column)?)))
            .collect();
        differs.push(again);
        if sending.in_doubt {
            differs.push(in_doubt);
        }
        if sending.resend {
            differs.push(by_others);
        }
        if sending.full {
            differs = vec!["1 = 1".to_string()];
        }
        let changed = format!(
            "({here} IS NOT NULL AND {there} IS NOT NULL AND {known} AND NOT {made_again} AND ({}))",
            differs.join(" OR ")
        );
        [added, changed, format!("({here} IS NULL AND {known})")]
    }

    /// Tells whether a column is another one than it was; none where it is not compared.
    fn differs(&self, column: &Compared) -> Option<String> {
        let name = self.names.quote(&column.name);
        let (a, b) = (format!("s.{name}"), format!("t.{name}"));
        // Names that are the same but for their case are one key to some databases, and another text to the API.
        if !(column.is_compared || (column.is_key && column.is_text && self.folds())) {
            return None;
        }
        if column.is_lacking {
            return Some(format!("{a} IS NOT NULL"));
        }
        Some(match (self.dialect(), column.is_text) {
            (Dialect::MySql, true) => format!("NOT ({} <=> {})", self.letters(&a), self.letters(&b)),
            (Dialect::MySql, false) => format!("NOT ({a} <=> {b})"),
            (Dialect::Sqlite, true) => {
                format!("{} IS DISTINCT FROM {}", self.letters(&a), self.letters(&b))
            }
            // A column may have a collation that takes letters for the same.
            (Dialect::DuckDb, true) => {
                let letters = |text: &str| format!("CAST({text} AS VARCHAR) COLLATE posix");
                format!("{} IS DISTINCT FROM {}", letters(&a), letters(&b))
            }
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
}
