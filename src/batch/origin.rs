//! What the database says of a column beyond Arrow's type: the name of its type, and the zone that its times are shown in.

use std::collections::HashMap;

use arrow::array::timezone::Tz;
use arrow::datatypes::Field;

const TYPE: &str = "sequor.origin";
const ZONE: &str = "sequor.zone";

fn with(field: Field, key: &str, value: &str) -> Field {
    let mut metadata: HashMap<String, String> = field.metadata().clone();
    metadata.insert(key.to_string(), value.to_string());
    field.with_metadata(metadata)
}

/// Returns the field with the name of its type in the database.
pub fn typed(field: Field, sql: &str) -> Field {
    with(field, TYPE, &sql.to_ascii_lowercase())
}

/// Returns the field with the zone of the session that its times were read in.
pub fn zoned(field: Field, zone: &str) -> Field {
    with(field, ZONE, zone)
}

/// Returns the name of the field's type in the database, in lower case.
pub fn type_of(field: &Field) -> Option<&str> {
    field.metadata().get(TYPE).map(String::as_str)
}

/// Returns the zone of the session that the field's times were read in.
pub fn zone_of(field: &Field) -> Option<Tz> {
    field.metadata().get(ZONE)?.parse().ok()
}
