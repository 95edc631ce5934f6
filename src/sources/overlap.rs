//! What a load does with rows of its target that stand in the ranges which were asked for anew.

use super::sql;

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

/// Where rows stand that are not written.
#[derive(Debug, Clone, PartialEq)]
pub struct Skip {
    /// The column that says where a row stands.
    pub column: String,
    /// From where on, or before what.
    pub from: Option<Literal>,
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
            Literal::Text(value) | Literal::Date(value) => text(value),
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
        let mut lists: Vec<(String, String, Vec<String>)> = Vec::new();
        let mut others = Vec::new();
        for part in &self.parts {
            let range = self.range(part, writes);
            match part.of.as_slice() {
                // Many that have one range are a list.
                [(column, value)] if *value != Literal::Null => {
                    let (column, value) = ((writes.quote)(column), (writes.literal)(value));
                    let same = |(c, r, values): &&mut (String, String, Vec<String>)| {
                        *c == column && *r == range && values.len() < MOST
                    };
                    match lists.iter_mut().rev().find(same) {
                        Some((_, _, values)) => values.push(value),
                        None => lists.push((column, range, vec![value])),
                    }
                }
                of => {
                    let of = of.iter().map(|(column, value)| {
                        let column = (writes.quote)(column);
                        match value {
                            Literal::Null => format!("{column} IS NULL"),
                            value => format!("{column} = {}", (writes.literal)(value)),
                        }
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
            let within = format!("{column} IN ({})", values.join(", "));
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
        let column = (writes.quote)(&self.column);
        let from = part.from.as_ref();
        let from = from.map(|from| format!("{column} >= {}", (writes.literal)(from)));
        let to = part.to.as_ref().map(|end| {
            let sign = if end.included { "<=" } else { "<" };
            format!("{column} {sign} {}", (writes.literal)(&end.at))
        });
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
        })
    }

    fn number(n: usize) -> Literal {
        Literal::Number(n.to_string())
    }

    #[test]
    fn regions_as_conditions() {
        assert_eq!(conditions(&Region::all()), ["(1 = 1)"]);
        let scope = Region::with("scope", Literal::Text("it's".into()));
        assert_eq!(conditions(&scope), ["(\"scope\" IN ('it''s'))"]);
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
