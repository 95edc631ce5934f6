//! Column types: from a type name as a user writes it to Arrow.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use crate::batch::column::Column;
use crate::error::{Error, ErrorKind, Result};

/// The field metadata key that tells what a text column stands for.
pub const LOGICAL_KEY: &str = "sequor.type";

/// What a column's text stands for, where Arrow's type alone does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logical {
    /// Nothing else than its Arrow type.
    Plain,
    /// A decimal of any precision, as text.
    Numeric,
    /// JSON, as compact text.
    Json,
    /// An array, as the text of a JSON list.
    Array,
    /// A type of the database that has no counterpart in Arrow (uuid, inet, ...), as text.
    Other,
}

impl Logical {
    /// Returns the name kept in the field's metadata.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Logical::Plain => None,
            Logical::Numeric => Some("numeric"),
            Logical::Json => Some("json"),
            Logical::Array => Some("array"),
            Logical::Other => Some("other"),
        }
    }

    /// Reads it back from a field.
    pub fn of(field: &Field) -> Logical {
        match field.metadata().get(LOGICAL_KEY).map(String::as_str) {
            Some("numeric") => Logical::Numeric,
            Some("json") => Logical::Json,
            Some("array") => Logical::Array,
            Some("other") => Logical::Other,
            _ => Logical::Plain,
        }
    }

    /// `field` marked with this meaning.
    pub fn mark(self, field: Field) -> Field {
        match self.name() {
            None => field,
            Some(name) => field.with_metadata(HashMap::from([(LOGICAL_KEY.to_string(), name.to_string())])),
        }
    }
}

/// A column's type: as written, and as held in Arrow.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnType {
    /// The type as the user wrote it, checked to be a type name and nothing else.
    pub sql: String,
    /// The whole declaration, where there is more to it than the type: `text not null`, `integer primary key`.
    pub declared: Option<String>,
    pub arrow: DataType,
    pub logical: Logical,
}

/// Tells whether a column of the second type may change a value of the first without an error: fewer places, whole numbers
/// for others, a clock for a moment, a number for a text.
pub fn narrows(from: &ColumnType, to: &ColumnType) -> bool {
    use DataType::{Date32, Decimal128, Float32, Float64, Int16, Int32, Int64, Timestamp, Utf8};
    let whole = |t: &DataType| matches!(t, Int16 | Int32 | Int64);
    match (&from.arrow, &to.arrow) {
        (Decimal128(_, from), Decimal128(_, to)) => from > to,
        (Decimal128(_, scale), to) if whole(to) => *scale > 0,
        (Float32 | Float64, Decimal128(..)) => true,
        (Float32 | Float64, to) if whole(to) => true,
        (Float64, Float32) => true,
        (Timestamp(_, Some(_)), Timestamp(_, None)) => true,
        (Timestamp(..), Date32) => true,
        // Decimals of any precision travel as text.
        (Utf8, Decimal128(..)) => matches!(from.logical, Logical::Plain | Logical::Numeric),
        (Utf8, to) if whole(to) => matches!(from.logical, Logical::Plain | Logical::Numeric),
        _ => false,
    }
}

impl ColumnType {
    /// Returns what a CREATE TABLE says of the column.
    pub fn declaration(&self) -> &str {
        self.declared.as_deref().unwrap_or(&self.sql)
    }
}

/// What a decimal without precision becomes: databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareDecimal {
    /// Kept as text of any precision, for databases that have such a type.
    Exact,
    /// `Decimal128(38, 10)`, DataFusion's own reading of a bare `decimal`.
    Fixed,
}

/// Understands a type name. Names that Arrow has no counterpart for are held as text ([`Logical::Other`]).
///
/// # Errors
/// Text that is not one type name: it would end up in a CREATE TABLE.
pub fn column_type(sql: &str, bare: BareDecimal) -> Result<ColumnType> {
    let bad = || {
        Error::new(ErrorKind::Project, format!("`{sql}` is not a column type"))
            .help("use a type of the target database, like text, bigint, numeric(10,2), timestamp")
    };
    if !sequor_planner::ops::is_column_type(sql) {
        return Err(bad());
    }
    let whole = sql.trim();
    let (name, more) = split(whole);
    let (base, sql_type) = match serial(name) {
        Some(integer) => (
            integer,
            Some(SqlType::BigInt(None)).filter(|_| integer == "bigint"),
        ),
        None => (name, None),
    };
    let parsed = sql_type.map_or_else(
        || {
            let parser = Parser::new(&GenericDialect {}).try_with_sql(base);
            parser.and_then(|mut p| {
                let parsed = p.parse_data_type()?;
                p.expect_token(&sqlparser::tokenizer::Token::EOF)?;
                Ok(parsed)
            })
        },
        Ok,
    );
    // What only the database understands is text that it reads.
    let other = (DataType::Utf8, Logical::Other);
    let (arrow, logical) = match parsed {
        Ok(parsed) => match arrow_type(&parsed, bare) {
            Some(found) => found,
            None if matches!(
                parsed,
                SqlType::Numeric(_) | SqlType::Decimal(_) | SqlType::Dec(_)
            ) =>
            {
                return Err(bad());
            }
            None => other,
        },
        Err(_) => other,
    };
    Ok(ColumnType {
        sql: base.to_string(),
        declared: (more || base != name).then(|| whole.to_string()),
        arrow,
        logical,
    })
}

/// The type at the start of a declaration, and whether there is more behind it.
fn split(declaration: &str) -> (&str, bool) {
    use sqlparser::tokenizer::{Token, Tokenizer};
    const MORE: &[&str] = &[
        "not",
        "null",
        "primary",
        "unique",
        "default",
        "check",
        "references",
        "constraint",
        "collate",
        "generated",
        "auto_increment",
        "autoincrement",
        "comment",
        "identity",
        "on",
        "deferrable",
        "storage",
        "compression",
    ];
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, declaration).tokenize_with_location() else {
        return (declaration, false);
    };
    let mut depth = 0usize;
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Word(word)
                if depth == 0
                    && word.quote_style.is_none()
                    && MORE.contains(&word.value.to_ascii_lowercase().as_str()) =>
            {
                let column = (token.span.start.column as usize).saturating_sub(1);
                let line = (token.span.start.line as usize).saturating_sub(1);
                let start: usize = declaration.split_inclusive('\n').take(line).map(str::len).sum();
                let rest = &declaration[start..];
                let at = rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
                return (declaration[..start + at].trim(), true);
            }
            _ => {}
        }
    }
    (declaration, false)
}

/// The integer that a serial is.
fn serial(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "serial" | "serial4" => Some("integer"),
        "bigserial" | "serial8" => Some("bigint"),
        "smallserial" | "serial2" => Some("smallint"),
        _ => None,
    }
}

/// Returns a type for a column of a result, by a name that most databases understand.
pub fn sql_name(field: &Field) -> String {
    let name = match (field.data_type(), Logical::of(field)) {
        (_, Logical::Json) => "jsonb",
        (_, Logical::Numeric) => "numeric",
        (_, Logical::Array) => "text[]",
        (DataType::Boolean, _) => "boolean",
        (DataType::Int8 | DataType::Int16, _) => "smallint",
        (DataType::Int32, _) => "integer",
        (DataType::Int64, _) => "bigint",
        (DataType::Float32, _) => "real",
        (DataType::Float64, _) => "double precision",
        (DataType::Decimal128(p, s), _) => return format!("numeric({p},{s})"),
        (DataType::Date32, _) => "date",
        (DataType::Time64(_), _) => "time",
        (DataType::Timestamp(_, None), _) => "timestamp",
        (DataType::Timestamp(_, Some(_)), _) => "timestamptz",
        (DataType::Binary, _) => "bytea",
        _ => "text",
    };
    name.to_string()
}

/// Returns the Arrow schema of the batches of a load.
pub fn arrow_schema(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(
        columns
            .iter()
            .map(|c| {
                let field = Field::new(&c.name, c.column_type.arrow.clone(), true);
                c.column_type.logical.mark(field)
            })
            .collect::<Vec<_>>(),
    ))
}

fn arrow_type(sql: &SqlType, bare: BareDecimal) -> Option<(DataType, Logical)> {
    let plain = |t| Some((t, Logical::Plain));
    match sql {
        SqlType::Text
        | SqlType::String(_)
        | SqlType::Varchar(_)
        | SqlType::CharVarying(_)
        | SqlType::CharacterVarying(_)
        | SqlType::Char(_)
        | SqlType::Character(_)
        | SqlType::Nvarchar(_)
        | SqlType::Clob(_)
        | SqlType::TinyText
        | SqlType::MediumText
        | SqlType::LongText => plain(DataType::Utf8),
        SqlType::TinyInt(_) | SqlType::SmallInt(_) | SqlType::Int2(_) => plain(DataType::Int16),
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) | SqlType::MediumInt(_) => {
            plain(DataType::Int32)
        }
        SqlType::BigInt(_) | SqlType::Int8(_) | SqlType::Int64 => plain(DataType::Int64),
        SqlType::Real | SqlType::Float4 => plain(DataType::Float32),
        SqlType::Float(_)
        | SqlType::Float8
        | SqlType::Float64
        | SqlType::Double(_)
        | SqlType::DoublePrecision => plain(DataType::Float64),
        SqlType::Bool | SqlType::Boolean => plain(DataType::Boolean),
        SqlType::Numeric(info) | SqlType::Decimal(info) | SqlType::Dec(info) => decimal(*info, bare),
        SqlType::Date => plain(DataType::Date32),
        SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            plain(DataType::Time64(TimeUnit::Microsecond))
        }
        SqlType::Timestamp(_, zone) => plain(timestamp(zone)),
        SqlType::Datetime(_) => plain(timestamp(&TimezoneInfo::None)),
        SqlType::JSON | SqlType::JSONB => Some((DataType::Utf8, Logical::Json)),
        SqlType::Bytea
        | SqlType::Blob(_)
        | SqlType::TinyBlob
        | SqlType::MediumBlob
        | SqlType::LongBlob
        | SqlType::Binary(_)
        | SqlType::Varbinary(_) => plain(DataType::Binary),
        SqlType::TinyIntUnsigned(_) => plain(DataType::Int16),
        SqlType::SmallIntUnsigned(_) | SqlType::MediumIntUnsigned(_) => plain(DataType::Int32),
        SqlType::IntUnsigned(_) | SqlType::IntegerUnsigned(_) => plain(DataType::Int64),
        SqlType::BigIntUnsigned(_) => Some((DataType::Utf8, Logical::Numeric)),
        SqlType::Array(_) => Some((DataType::Utf8, Logical::Array)),
        SqlType::Uuid | SqlType::Interval { .. } | SqlType::Time(..) => {
            Some((DataType::Utf8, Logical::Other))
        }
        SqlType::Custom(name, _) => match name.to_string().to_ascii_lowercase().as_str() {
            "number" => decimal(ExactNumberInfo::None, bare),
            "variant" | "object" => Some((DataType::Utf8, Logical::Json)),
            "timestamp_ntz" => plain(timestamp(&TimezoneInfo::None)),
            "timestamp_tz" | "timestamp_ltz" => plain(timestamp(&TimezoneInfo::Tz)),
            _ => Some((DataType::Utf8, Logical::Other)),
        },
        _ => None,
    }
}

fn timestamp(zone: &TimezoneInfo) -> DataType {
    let zone = match zone {
        TimezoneInfo::Tz | TimezoneInfo::WithTimeZone => Some("UTC".into()),
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => None,
    };
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

/// Arrow's decimal for a precision and scale; text beyond its 38 digits.
fn decimal(info: ExactNumberInfo, bare: BareDecimal) -> Option<(DataType, Logical)> {
    let exact = match bare {
        BareDecimal::Exact => (DataType::Utf8, Logical::Numeric),
        BareDecimal::Fixed => (DataType::Decimal128(38, 10), Logical::Plain),
    };
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Some(exact),
        ExactNumberInfo::Precision(p) => (p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (p, s),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p @ 1..=38), Ok(s)) if s >= 0 && s as u8 <= p => {
            Some((DataType::Decimal128(p, s), Logical::Plain))
        }
        (Ok(_) | Err(_), _) if bare == BareDecimal::Exact => Some(exact),
        _ => None,
    }
}
