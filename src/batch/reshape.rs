//! Rows before their fields become columns: other names, and objects taken apart.

use std::borrow::Cow;

use heck::ToSnakeCase;
use indexmap::IndexMap;
use jiter::Peek;
use sequor_planner::ops::Reshape;

use super::json::reader;

/// Changes the fields of rows as a flow asks for, row by row.
#[derive(Debug, Default)]
pub struct Reshaper {
    rules: Reshape,
    /// What fields became, by their way through the row.
    names: IndexMap<Vec<String>, String>,
    /// The way of the field that has a name.
    taken: IndexMap<String, Vec<String>>,
    /// Names of the objects that were taken apart.
    apart: Vec<String>,
}

impl Reshaper {
    /// Returns one for the rules of a table.
    pub fn new(rules: &Reshape) -> Reshaper {
        Reshaper {
            rules: rules.clone(),
            ..Reshaper::default()
        }
    }

    /// Tells whether an object was taken apart that has this name: null in other rows, it is no column.
    pub fn is_apart(&self, name: &str) -> bool {
        self.apart.iter().any(|known| known == name)
    }

    /// Returns a row with its fields changed: the text of a JSON object.
    ///
    /// # Errors
    /// Two fields become the same; the message says which.
    pub fn row<'t>(&mut self, object: &'t [u8]) -> Result<Cow<'t, [u8]>, String> {
        if self.rules.is_default() {
            return Ok(Cow::Borrowed(object));
        }
        let mut fields: IndexMap<String, &'t [u8]> = IndexMap::new();
        self.object(object, &mut Vec::new(), &mut fields)?;
        let mut row = Vec::with_capacity(object.len() + 16);
        row.push(b'{');
        for (name, value) in fields {
            if row.len() > 1 {
                row.push(b',');
            }
            let name = serde_json::to_string(&name).map_err(|e| e.to_string())?;
            row.extend_from_slice(name.as_bytes());
            row.push(b':');
            row.extend_from_slice(value);
        }
        row.push(b'}');
        Ok(Cow::Owned(row))
    }

    fn object<'t>(
        &mut self,
        text: &'t [u8],
        way: &mut Vec<String>,
        fields: &mut IndexMap<String, &'t [u8]>,
    ) -> Result<(), String> {
        let mut json = reader(text);
        let bad = |e: jiter::JiterError| e.error_type.to_string();
        let mut key = json.next_object().map_err(bad)?.map(str::to_string);
        while let Some(name) = key {
            let peek = json.peek().map_err(bad)?;
            let start = json.current_index();
            json.known_skip(peek).map_err(bad)?;
            let value = text.get(start..json.current_index()).unwrap_or_default();
            way.push(name);
            let depth = u64::try_from(way.len()).unwrap_or(u64::MAX);
            let deeper = self.rules.flatten.as_ref().is_some_and(|f| depth <= f.max_depth);
            let name = self.name(way)?;
            if peek == Peek::Object && deeper {
                if !self.is_apart(&name) {
                    self.apart.push(name);
                }
                self.object(value, way, fields)?;
            } else {
                fields.insert(name, value);
            }
            way.pop();
            key = json.next_key().map_err(bad)?.map(str::to_string);
        }
        Ok(())
    }

    /// The name of the field at the end of a way.
    fn name(&mut self, way: &[String]) -> Result<String, String> {
        if let Some(known) = self.names.get(way) {
            return Ok(known.clone());
        }
        let parts = way.iter().map(|key| match self.rules.snake_case {
            true => snake_case(key),
            false => key.clone(),
        });
        let separator = self.rules.flatten.as_ref().map_or("_", |f| f.separator.as_str());
        let name = parts.collect::<Vec<_>>().join(separator);
        if let Some(other) = self.taken.get(&name) {
            return Err(format!(
                "the fields `{}` and `{}` both become `{name}`",
                other.join("."),
                way.join(".")
            ));
        }
        self.taken.insert(name.clone(), way.to_vec());
        self.names.insert(way.to_vec(), name.clone());
        Ok(name)
    }
}

/// A name in lower case with `_` between its words; one that begins with a digit gets a `_` before it.
fn snake_case(key: &str) -> String {
    let name = key.to_snake_case();
    match name.chars().next() {
        None => key.to_string(),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        // `_id` is not `id`.
        Some(_) => format!("{}{name}", &key[..key.len() - key.trim_start_matches('_').len()]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sequor_planner::ops::Flatten;

    use super::*;

    fn row(reshaper: &mut Reshaper, text: &str) -> Result<String, String> {
        reshaper
            .row(text.as_bytes())
            .map(|row| String::from_utf8(row.to_vec()).unwrap())
    }

    #[test]
    fn names_and_objects() {
        let mut names = Reshaper::new(&Reshape {
            snake_case: true,
            flatten: None,
        });
        assert_eq!(
            row(
                &mut names,
                r#"{"createdAt":1,"HTTPCode":2,"Total Price (€)":3,"_id":4,"2nd":5}"#
            )
            .unwrap(),
            r#"{"created_at":1,"http_code":2,"total_price":3,"_id":4,"_2nd":5}"#
        );
        let error = row(&mut names, r#"{"created_at":1}"#).unwrap_err();
        assert_eq!(
            error,
            "the fields `createdAt` and `created_at` both become `created_at`"
        );
        let mut flat = Reshaper::new(&Reshape {
            snake_case: false,
            flatten: Some(Flatten {
                separator: "_".into(),
                max_depth: 2,
            }),
        });
        let nested = r#"{"id":1.10,"user":{"login":"x","org":{"name":"n","deep":{"a":1}}},"tags":[{"b":1}]}"#;
        assert_eq!(
            row(&mut flat, nested).unwrap(),
            r#"{"id":1.10,"user_login":"x","user_org_name":"n","user_org_deep":{"a":1},"tags":[{"b":1}]}"#
        );
        assert_eq!(row(&mut flat, r#"{"user":null}"#).unwrap(), r#"{"user":null}"#);
        assert!(flat.is_apart("user"));
    }
}
