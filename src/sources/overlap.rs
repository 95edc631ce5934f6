//! What a load does with rows of its target that stand in the ranges which were asked for anew.

use super::sql;
use crate::error::{Error, ErrorKind};

/// How many conditions, or values of a list, a statement has at most.
const MOST: usize = 200;

/// What becomes of rows that the target has already.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overlap {
    /// Those of a region go before the new ones are written.
    pub delete: Option<Region>,
    /// The others stay, and new rows that are like one of them in every column are not written.
    pub skip: Option<Skip>,
    /// New rows that stand before it are left out.
    pub leave_out: Option<Skip>,
    /// New rows of a region are left out.
    pub refuse: Option<Region>,
    /// What the rows that change must have been meanwhile.
    pub unchanged: Option<Unchanged>,
}

impl Overlap {
    /// Returns that of a table whose rows all go.
    pub fn delete_all() -> Overlap {
        Overlap {
            delete: Some(Region::all()),
            ..Overlap::default()
        }
    }

    /// Returns the column that says where a new row stands; none where none is looked at.
    pub fn column(&self) -> Option<&str> {
        let skip = self.skip.as_ref().or(self.leave_out.as_ref());
        skip.map(|skip| skip.column.as_str())
    }
}

/// Rows that were made of those that the table had: where another program has changed those since, or deleted them, nothing is
/// written.
#[derive(Debug, Clone, PartialEq)]
pub struct Unchanged {
    pub key: String,
    /// The column with what a row is made of.
    pub now: String,
    /// The column in which a new row says what that was.
    pub before: String,
    /// What that was of a row that was not there.
    pub nothing: String,
    /// Whether rows count by the commits of another table: some that are there do not yet.
    pub is_bound: bool,
}

impl Unchanged {
    /// Returns the query of the rows that others have changed.
    pub fn query(&self, (new, there): (&str, &str), quote: impl Fn(&str) -> String) -> String {
        let (key, now, before) = (quote(&self.key), quote(&self.now), quote(&self.before));
        let nothing = sql::literal(&self.nothing);
        let differs = |column: &str| format!("COALESCE(t.{column}, {nothing}) <> s.{before}");
        let changed = match self.is_bound {
            true => format!("{} AND {}", differs(&now), differs(&before)),
            false => differs(&now),
        };
        format!("SELECT 1 FROM {new} s LEFT JOIN {there} t ON t.{key} = s.{key} WHERE {changed} LIMIT 1")
    }
}

/// Returns what is said of rows that others have changed.
pub fn changed_error() -> Error {
    Error::new(
        ErrorKind::Data,
        "another run has changed what counts as covered while this one was loading: nothing was written",
    )
    .help("run it again, when no other run of the table is under way")
}

/// Where rows stand that are not written.
#[derive(Debug, Clone, PartialEq)]
pub struct Skip {
    /// The column that says where a row stands.
    pub column: String,
    /// From where on, or before what.
    pub from: Option<Literal>,
    /// Columns by which rows are not compared.
    pub ignored: Vec<String>,
}

impl Skip {
    /// Tells whether rows are compared by a column, beside that which says where they stand.
    pub fn compares(&self, column: &str) -> bool {
        self.column != column && !self.ignored.iter().any(|ignored| ignored == column)
    }
}

/// Rows of a table: those of any of its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// The column that says where a row stands.
    pub column: String,
    pub parts: Vec<Part>,
}

/// Rows with certain values, between two ends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Columns with the value that they have.
    pub of: Vec<(String, Literal)>,
    pub from: Option<Literal>,
    pub to: Option<End>,
}

/// Where a part ends.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    pub at: Literal,
    /// Whether rows at the end itself belong to it.
    pub included: bool,
}

/// A value of a column, as it is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    /// Its digits.
    Number(String),
    Text(String),
    /// A text of a column of texts, compared character by character, whatever order its column has.
    Exact(String),
    /// A date, as `2024-01-31`.
    Date(String),
    /// A moment of UTC, as `2024-01-31 10:00:00.123456`. `zoned`: its column holds moments, and no times of a clock.
    Time {
        text: String,
        zoned: bool,
    },
}

impl Literal {
    /// Writes it as SQL. `text` writes a string.
    pub fn sql(&self, text: impl Fn(&str) -> String) -> String {
        match self {
            Literal::Null => "NULL".to_string(),
            Literal::Bool(value) => value.to_string().to_ascii_uppercase(),
            Literal::Number(digits) => digits.clone(),
            Literal::Text(value) | Literal::Exact(value) | Literal::Date(value) => text(value),
            Literal::Time { text: value, zoned } => text(&match zoned {
                true => format!("{value}+00:00"),
                false => value.clone(),
            }),
        }
    }

    /// As [`Literal::sql`], where strings have no escapes.
    pub fn plain(&self) -> String {
        self.sql(sql::literal)
    }
}

/// How a database writes names and values.
#[derive(Clone, Copy)]
pub struct Writes<'a> {
    pub quote: &'a dyn Fn(&str) -> String,
    pub literal: &'a dyn Fn(&Literal) -> String,
    /// Writes a column, quoted, whose texts are compared character by character.
    pub exact: &'a dyn Fn(&str) -> String,
    /// Whether a column may take texts for one that differ. An index of its order is of use all the same.
    pub folds: bool,
}

impl Writes<'_> {
    /// The condition that a column has one of some values.
    fn is_one_of(&self, column: &str, values: &[&Literal]) -> String {
        let list = |column: &str, values: Vec<String>| match values.as_slice() {
            [value] => format!("{column} = {value}"),
            values => format!("{column} IN ({})", values.join(", ")),
        };
        let quoted = (self.quote)(column);
        let plain = values.iter().map(|value| match value {
            Literal::Exact(text) => (self.literal)(&Literal::Text(text.clone())),
            value => (self.literal)(value),
        });
        let plain = list(&quoted, plain.collect());
        if !self.folds || !values.iter().any(|value| matches!(value, Literal::Exact(_))) {
            return plain;
        }
        let exact = values.iter().map(|value| (self.literal)(value));
        format!("{plain} AND {}", list(&(self.exact)(&quoted), exact.collect()))
    }

    /// Writes a column as it is compared with a value.
    fn column(&self, name: &str, value: &Literal) -> String {
        let quoted = (self.quote)(name);
        match value {
            Literal::Exact(_) => (self.exact)(&quoted),
            _ => quoted,
        }
    }
}

impl Region {
    /// Returns all rows of a table.
    pub fn all() -> Region {
        Region {
            column: String::new(),
            parts: vec![Part::default()],
        }
    }

    /// Returns the rows with a value in a column.
    pub fn with(column: &str, value: Literal) -> Region {
        let part = Part {
            of: vec![(column.to_string(), value)],
            ..Part::default()
        };
        Region {
            column: String::new(),
            parts: vec![part],
        }
    }

    /// Returns the rows of both.
    pub fn and_also(mut self, other: Region) -> Region {
        self.parts.extend(other.parts);
        self
    }

    /// Writes it as conditions, each of a length that a statement may have. A row belongs to it where one of them is true.
    pub fn conditions(&self, writes: Writes<'_>) -> Vec<String> {
        let mut lists: Vec<(&String, String, Vec<&Literal>)> = Vec::new();
        let mut others = Vec::new();
        for part in &self.parts {
            let range = self.range(part, writes);
            match part.of.as_slice() {
                // Many that have one range are a list.
                [(column, value)] if *value != Literal::Null => {
                    let same = |(c, r, values): &&mut (&String, String, Vec<&Literal>)| {
                        *c == column && *r == range && values.len() < MOST
                    };
                    match lists.iter_mut().rev().find(same) {
                        Some((_, _, values)) => values.push(value),
                        None => lists.push((column, range, vec![value])),
                    }
                }
                of => {
                    let of = of.iter().map(|(column, value)| match value {
                        Literal::Null => format!("{} IS NULL", (writes.quote)(column)),
                        value => writes.is_one_of(column, &[value]),
                    });
                    let all: Vec<String> = of.chain(Some(range).filter(|range| !range.is_empty())).collect();
                    others.push(match all.is_empty() {
                        true => "1 = 1".to_string(),
                        false => all.join(" AND "),
                    });
                }
            }
        }
        let lists = lists.into_iter().map(|(column, range, values)| {
            let within = writes.is_one_of(column, &values);
            match range.is_empty() {
                true => within,
                false => format!("{within} AND {range}"),
            }
        });
        let all: Vec<String> = lists.chain(others).map(|one| format!("({one})")).collect();
        // A list is long by itself.
        let size = match self.parts.len() > MOST {
            true => 20,
            false => MOST,
        };
        all.chunks(size).map(|some| some.join(" OR ")).collect()
    }

    fn range(&self, part: &Part, writes: Writes<'_>) -> String {
        let compared = |sign: &str, value: &Literal| {
            let column = writes.column(&self.column, value);
            format!("{column} {sign} {}", (writes.literal)(value))
        };
        let from = part.from.as_ref().map(|from| compared(">=", from));
        let to = part.to.as_ref();
        let to = to.map(|end| compared(if end.included { "<=" } else { "<" }, &end.at));
        let both: Vec<String> = from.into_iter().chain(to).collect();
        both.join(" AND ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(region: &Region) -> Vec<String> {
        region.conditions(Writes {
            quote: &sql::quote,
            literal: &Literal::plain,
            exact: &|column| format!("{column} COLLATE \"C\""),
            folds: true,
        })
    }

    fn number(n: usize) -> Literal {
        Literal::Number(n.to_string())
    }

    #[test]
    fn regions_as_conditions() {
        assert_eq!(conditions(&Region::all()), ["(1 = 1)"]);
        let scope = Region::with("scope", Literal::Text("it's".into()));
        assert_eq!(conditions(&scope), ["(\"scope\" = 'it''s')"]);
        let exact = Region::with("shop", Literal::Exact("Berlin".into()));
        assert_eq!(
            conditions(&exact),
            ["(\"shop\" = 'Berlin' AND \"shop\" COLLATE \"C\" = 'Berlin')"]
        );
        let time = Literal::Time {
            text: "2024-01-31 10:00:00".into(),
            zoned: true,
        };
        let region = Region {
            column: "at".into(),
            parts: vec![Part {
                of: vec![("a".into(), Literal::Null), ("b".into(), number(1))],
                from: Some(time),
                to: Some(End {
                    at: Literal::Date("2024-02-01".into()),
                    included: false,
                }),
            }],
        };
        assert_eq!(
            conditions(&region),
            [r#"("a" IS NULL AND "b" = 1 AND "at" >= '2024-01-31 10:00:00+00:00' AND "at" < '2024-02-01')"#]
        );
    }

    #[test]
    fn many_parts_are_several_statements() {
        let part = |n: usize, from: usize| Part {
            of: vec![("shop".into(), number(n))],
            from: Some(number(from)),
            to: None,
        };
        let column = "at".to_string();
        let one_range = Region {
            column: column.clone(),
            parts: (0..450).map(|n| part(n, 7)).collect(),
        };
        let lists = conditions(&one_range);
        assert_eq!(lists.len(), 1);
        assert_eq!(lists[0].matches(" IN (").count(), 3);
        let own_ranges = Region {
            column,
            parts: (0..450).map(|n| part(n, n)).collect(),
        };
        assert_eq!(conditions(&own_ranges).len(), 23);
    }
}
