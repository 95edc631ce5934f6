//! Building batches: properties that hold for any JSON and any number.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type};
use proptest::prelude::*;
use sequor::batch::builder::BatchBuilder;
use sequor::batch::cell::{self, Cell};
use sequor::batch::column::Column;
use sequor::batch::compact::compact;
use sequor::batch::json::append_rows;
use sequor::batch::target::RowTarget;
use sequor::batch::types::{BareDecimal, column_type};
use sequor_planner::expr::PathStep;
use serde_json::{Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        ".*".prop_map(Value::from),
        any::<i8>().prop_map(|n| n.to_string().into()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z\"\\\\ ]{0,4}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn target(types: &[(&str, &str)]) -> RowTarget {
    let columns: Vec<Column> = types
        .iter()
        .map(|(name, sql)| Column {
            name: (*name).into(),
            column_type: column_type(sql, BareDecimal::Exact).unwrap(),
        })
        .collect();
    let keys = types.iter().map(|(name, _)| (*name).to_string());
    RowTarget::Typed(BatchBuilder::new("t", keys, &columns).unwrap())
}

/// The rows built so far.
fn take(target: &mut RowTarget) -> sequor::error::Result<Option<RecordBatch>> {
    match target {
        RowTarget::Typed(builder) => builder.take(),
        RowTarget::Open(_) => panic!("the columns are declared"),
    }
}

/// What a JSON value is in a text column.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

proptest! {
    #[test]
    fn every_row_arrives_as_it_is(rows in prop::collection::vec((any_json(), any_json(), any::<bool>()), 0..20), pretty in any::<bool>()) {
        let objects: Vec<Value> = rows
            .iter()
            .map(|(a, b, turned)| match turned {
                false => json!({"a": a, "ignored": [1, {"x": "]}"}], "b": b}),
                true => json!({"b": b, "a": a}),
            })
            .collect();
        let document = json!({"meta": {"rows": []}, "data": [0, {"rows": objects}], "end": null});
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let path = [PathStep::Key("data".into()), PathStep::Index(1), PathStep::Key("rows".into())];
        let mut target = target(&[("a", "text"), ("b", "jsonb"), ("c", "bigint")]);
        let count = append_rows(text.as_bytes(), &path, &mut target, &mut |_| Ok(())).unwrap();
        prop_assert_eq!(count.rows as usize, rows.len());
        let Some(batch) = take(&mut target).unwrap() else {
            prop_assert!(rows.is_empty());
            return Ok(());
        };
        prop_assert_eq!(batch.num_rows(), rows.len());
        for (i, (a, b, _)) in rows.iter().enumerate() {
            let column = batch.column(0).as_string::<i32>();
            let got = column.is_valid(i).then(|| column.value(i).to_string());
            prop_assert_eq!(got, as_text(a));
            let column = batch.column(1).as_string::<i32>();
            match b {
                Value::Null => prop_assert!(column.is_null(i)),
                // Text that holds JSON is taken as such.
                Value::String(s) if serde_json::from_str::<Value>(s).is_ok() => prop_assert_eq!(column.value(i), s),
                b => prop_assert_eq!(column.value(i), b.to_string()),
            }
            prop_assert!(batch.column(2).is_null(i));
        }
    }

    #[test]
    fn broken_json_is_an_error_and_never_a_panic(value in any_json(), cut in any::<prop::sample::Index>()) {
        let text = json!({"rows": [{"a": value}]}).to_string();
        let cut = cut.index(text.len());
        let mut target = target(&[("a", "text")]);
        let path = [PathStep::Key("rows".into())];
        prop_assert!(append_rows(&text.as_bytes()[..cut], &path, &mut target, &mut |_| Ok(())).is_err());
    }

    #[test]
    fn compact_json_is_the_same_json(value in any_json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(compact(pretty.as_bytes()), serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn decimals_are_exact_and_round_half_away_from_zero(units in -10_000_000_000i64..10_000_000_000, places in 0u32..6) {
        let scale = 10i64.pow(places);
        let sign = if units < 0 { "-" } else { "" };
        let (whole, rest) = (units.abs() / scale, units.abs() % scale);
        let text = match places {
            0 => units.to_string(),
            _ => format!("{sign}{whole}.{rest:0width$}", width = places as usize),
        };
        // In hundredths.
        let expected = match places {
            0..=2 => i128::from(units) * 10i128.pow(2 - places),
            _ => {
                let step = 10i128.pow(places - 2);
                let half = if units < 0 { -step / 2 } else { step / 2 };
                (i128::from(units) + half) / step
            }
        };
        prop_assert_eq!(cell::decimal(&Cell::Number(text.into()), 20, 2).unwrap(), expected);
    }
}

#[test]
fn values_find_their_types() {
    let mut target = target(&[
        ("d", "numeric(4,2)"),
        ("t", "timestamp"),
        ("z", "timestamptz"),
        ("y", "date"),
    ]);
    assert!(matches!(
        column_type("numeric(4,2)", BareDecimal::Fixed).unwrap().arrow,
        DataType::Decimal128(4, 2)
    ));
    let text = r#"[{"d": "1e1", "t": "2024-05-01T10:00:00+02:00", "z": "2024-05-01T10:00:00+02:00", "y": "2024-05-01"}]"#;
    append_rows(text.as_bytes(), &[], &mut target, &mut |_| Ok(())).unwrap();
    let batch = take(&mut target).unwrap().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Decimal128Type>().value(0), 1000);
    let time = |i: usize| {
        batch
            .column(i)
            .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
            .value(0)
    };
    // Without zone the clock's time is kept; with zone the moment.
    assert_eq!(time(1) - time(2), 2 * 3600 * 1_000_000);
    let too_large = append_rows(br#"[{"d": 100}]"#, &[], &mut target, &mut |_| Ok(())).unwrap_err();
    assert!(
        too_large
            .to_string()
            .contains("column `d`, row 2: 100 does not fit `numeric(4,2)` (too many digits)"),
        "{too_large}"
    );
    let decimal = |text: &str| cell::decimal(&Cell::Number(text.into()), 10, 2).ok();
    assert_eq!(decimal("1.5e3"), Some(150_000));
    assert_eq!(decimal("-12.345E-1"), Some(-123));
    assert_eq!(decimal("5e-3"), Some(1));
    assert_eq!(decimal("1e-400"), Some(0));
    assert_eq!(decimal("0e999999999999"), Some(0));
    for bad in [
        "1e400",
        "1e9",
        "",
        "-",
        ".",
        "e5",
        "1e",
        "1.2.3",
        "0x10",
        "NaN",
        "1 2",
        "1_000",
        &"9".repeat(100),
    ] {
        assert_eq!(decimal(bad), None, "{bad}");
    }
}
