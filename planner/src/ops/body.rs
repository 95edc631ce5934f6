//! The formats of a request's body.

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::expr::Prop;
use crate::span::Place;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    Json,
    FormUrlencoded,
    Text,
    Xml,
    MultipartFormData,
    Binary,
}

/// The body formats by their names.
pub(super) const BODY_FORMATS: [(&str, BodyFormat); 6] = [
    ("json", BodyFormat::Json),
    ("form_urlencoded", BodyFormat::FormUrlencoded),
    ("text", BodyFormat::Text),
    ("xml", BodyFormat::Xml),
    ("multipart_form_data", BodyFormat::MultipartFormData),
    ("binary", BodyFormat::Binary),
];

/// A body must be of the kind that its format writes.
pub(super) fn check_body(body: &Prop, format: BodyFormat, place: &Place, d: &mut Diagnostics) {
    use serde_json::Value as Json;
    let form = matches!(format, BodyFormat::FormUrlencoded | BodyFormat::MultipartFormData);
    let map = matches!(body, Prop::Map(_) | Prop::Literal(Json::Object(_)));
    let list = matches!(body, Prop::List(_) | Prop::Literal(Json::Array(_)));
    let scalar = matches!(
        body,
        Prop::Literal(Json::String(_) | Json::Number(_) | Json::Bool(_))
    );
    let wanted = match format {
        BodyFormat::Json => return,
        _ if form && (list || scalar) => "a map of names to values",
        _ if !form && (list || map) => "text",
        _ => return,
    };
    let name = BODY_FORMATS.iter().find(|(_, f)| *f == format);
    let name = name.map_or("", |(name, _)| *name);
    let message = format!("a body with `body_format: {name}` must be {wanted}");
    d.error(Code::WrongType, place.clone(), message);
}
