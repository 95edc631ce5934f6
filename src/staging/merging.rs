//! The queries that give a table's rows with new ones merged into them.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::names::{TableId, quote};
use super::scratch::{ROW, Scratch};
use crate::sources::landing::same_or_null;
use crate::sources::overlap::{Literal, Overlap, Region, Skip, Writes};

/// Where the new rows are, as SQL has it.
pub struct Source {
    pub table: String,
}

impl Source {
    /// Returns the rows of a scratch table, without those that are left out.
    pub fn of(scratch: &Scratch, schema: &SchemaRef, overlap: Option<&Overlap>) -> Source {
        let mut conditions = Vec::new();
        if let Some(Skip {
            column,
            from: Some(from),
            ..
        }) = overlap.and_then(|overlap| overlap.leave_out.as_ref())
        {
            let mut names = schema.fields().iter().map(|field| field.name());
            let known = names.find(|name| name.eq_ignore_ascii_case(column));
            conditions.push(format!("{} >= {}", quote(known.unwrap_or(column)), literal(from)));
        }
        if let Some(region) = overlap.and_then(|overlap| overlap.refuse.as_ref()) {
            conditions.extend(outside(region));
        }
        Source {
            table: match conditions.is_empty() {
                true => scratch.id.sql(),
                false => format!(
                    "(SELECT * FROM {} WHERE {})",
                    scratch.id.sql(),
                    conditions.join(" AND ")
                ),
            },
        }
    }
}

/// Conditions that rows outside of a region meet.
fn outside(region: &Region) -> Vec<String> {
    let conditions = region.conditions(Writes {
        quote: &quote,
        literal: &literal,
        exact: &str::to_string,
        folds: false,
    });
    conditions
        .iter()
        .map(|one| format!("({one}) IS NOT TRUE"))
        .collect()
}

/// What takes whose place.
pub struct Upsert {
    pub id: TableId,
    /// The columns of the new rows.
    pub schema: SchemaRef,
    /// The columns that tell rows apart; without any, no row takes the place of another.
    pub key: Vec<String>,
}

impl Upsert {
    pub fn key_list(&self) -> String {
        let key: Vec<String> = self.key.iter().map(|name| quote(name)).collect();
        key.join(", ")
    }

    /// Of the new rows with the same key, the last.
    pub fn last_of_each(&self, scratch: &Source, schema: &SchemaRef) -> String {
        let columns: Vec<String> = schema.fields().iter().map(|f| quote(f.name())).collect();
        if self.key.is_empty() {
            return format!("SELECT {} FROM {} AS \"new\"", columns.join(", "), scratch.table);
        }
        format!(
            "SELECT {} FROM (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {} DESC) AS \"__sequor_n\" FROM {}) \
             AS \"new\" WHERE \"__sequor_n\" = 1",
            columns.join(", "),
            self.key_list(),
            quote(ROW),
            scratch.table,
        )
    }

    /// The new rows that are like none of those of a table.
    pub fn unlike(&self, scratch: &Source, schema: &SchemaRef, table: &str, skip: &Skip) -> String {
        let new: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| self.new_alone(field))
            .collect();
        let fields = self.schema.fields().iter();
        let compared = fields.filter(|field| *field.name() == skip.column || skip.compares(field.name()));
        let same = compared.map(|field| {
            let name = quote(field.name());
            match *field.name() == skip.column {
                true => format!("\"old\".{name} = \"new\".{name}"),
                false => same_or_null(&format!("\"old\".{name}"), &format!("\"new\".{name}")),
            }
        });
        let same: Vec<String> = same.collect();
        let from = skip.from.as_ref().map_or_else(String::new, |from| {
            format!(" WHERE {} >= {}", quote(&skip.column), literal(from))
        });
        format!(
            "SELECT {} FROM {} AS \"new\" LEFT ANTI JOIN (SELECT * FROM {table}{from}) AS \"old\" ON {}",
            new.join(", "),
            scratch.table,
            same.join(" AND "),
        )
    }

    /// A column of a new row that takes no other's place.
    fn new_alone(&self, field: &Field) -> String {
        match self.schema.index_of(field.name()) {
            Ok(_) => format!("{} AS {}", in_type(field), quote(field.name())),
            Err(_) => format!(
                "arrow_cast(NULL, '{}') AS {}",
                field.data_type(),
                quote(field.name())
            ),
        }
    }

    /// The table without the rows of a region, as SQL.
    pub fn without(&self, region: Option<&Region>) -> String {
        match region {
            None => self.id.sql(),
            Some(region) => {
                let stays = outside(region);
                format!("(SELECT * FROM {} WHERE {})", self.id.sql(), stays.join(" AND "))
            }
        }
    }

    /// The old rows, without those of a region and those whose key a new row has, then the new ones. Columns that the new rows
    /// do not have stay.
    pub fn merged(
        &self,
        scratch: &Source,
        schema: &SchemaRef,
        (without, skip): (Option<&Region>, Option<&Skip>),
    ) -> String {
        let old: Vec<String> = schema
            .fields()
            .iter()
            .map(|f| format!("\"old\".{}", quote(f.name())))
            .collect();
        let same: Vec<String> = self
            .key
            .iter()
            .map(|name| format!("\"old\".{0} = \"new\".{0}", quote(name)))
            .collect();
        let same = same.join(" AND ");
        let table = self.without(without);
        if self.key.is_empty() {
            let new = match skip {
                Some(skip) => self.unlike(scratch, schema, &format!("{table} AS \"there\""), skip),
                None => {
                    let new: Vec<String> = schema
                        .fields()
                        .iter()
                        .map(|field| self.new_alone(field))
                        .collect();
                    format!("SELECT {} FROM {} AS \"new\"", new.join(", "), scratch.table)
                }
            };
            return format!(
                "SELECT {} FROM {table} AS \"old\" UNION ALL {new}",
                old.join(", ")
            );
        }
        let is_new = |field: &Field| self.schema.index_of(field.name()).is_ok();
        let new: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| match is_new(field) {
                true => format!("{} AS {}", in_type(field), quote(field.name())),
                false => format!("\"old\".{}", quote(field.name())),
            })
            .collect();
        let last = self.last_of_each(scratch, &self.schema);
        let join = match schema.fields().iter().all(|field| is_new(field)) {
            true => String::new(),
            false => format!(" LEFT JOIN {table} AS \"old\" ON {same}"),
        };
        format!(
            "SELECT {} FROM {table} AS \"old\" LEFT ANTI JOIN ({last}) AS \"new\" ON {same} \
             UNION ALL SELECT {} FROM ({last}) AS \"new\"{join}",
            old.join(", "),
            new.join(", "),
        )
    }
}

/// A value as SQL, of the type of its column.
pub fn literal(value: &Literal) -> String {
    match value {
        Literal::Date(_) => format!("arrow_cast({}, 'Date32')", value.plain()),
        Literal::Time { zoned: true, .. } => {
            format!(
                "arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')",
                value.plain()
            )
        }
        Literal::Time { zoned: false, .. } => {
            format!("arrow_cast({}, 'Timestamp(Microsecond, None)')", value.plain())
        }
        other => other.plain(),
    }
}

/// A new value in the type of its column: else the union would bring both to a common one.
fn in_type(field: &Field) -> String {
    let value = format!("\"new\".{}", quote(field.name()));
    match field.data_type() {
        DataType::Utf8 => value,
        other => format!("arrow_cast({value}, '{other}')"),
    }
}
