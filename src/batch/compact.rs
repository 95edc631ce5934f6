//! JSON as a column keeps it: without white space between its tokens, and of a key that is there twice the last.

use indexmap::IndexMap;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Returns JSON without the white space between its tokens; numbers and strings stay as written.
pub fn compact(raw: &[u8]) -> String {
    let mut out = Vec::with_capacity(raw.len());
    // Where keys stand in `out`: those of each open object behind those of the objects around it.
    let mut keys: Vec<(usize, usize)> = Vec::new();
    // Of what is open: where its keys begin; none for a list.
    let mut open: Vec<Option<usize>> = Vec::new();
    let (mut in_string, mut escaped, mut expects_key) = (None, false, false);
    let mut twice = false;
    for &byte in raw {
        if let Some(start) = in_string {
            out.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    if expects_key {
                        keys.push((start, out.len()));
                        expects_key = false;
                    }
                    in_string = None;
                }
                _ => {}
            }
            continue;
        }
        match byte {
            byte if byte.is_ascii_whitespace() => continue,
            b'"' => in_string = Some(out.len()),
            b'{' => {
                open.push(Some(keys.len()));
                expects_key = true;
            }
            b'[' => open.push(None),
            b',' => expects_key = matches!(open.last(), Some(Some(_))),
            b'}' => {
                expects_key = false;
                if let Some(Some(first)) = open.pop() {
                    twice = twice || has_twice(&mut keys[first..], &out);
                    keys.truncate(first);
                }
            }
            b']' => drop(open.pop()),
            _ => {}
        }
        out.push(byte);
    }
    let out = String::from_utf8_lossy(&out).into_owned();
    match twice {
        true => last_of_each(&out).unwrap_or(out),
        false => out,
    }
}

fn has_twice(keys: &mut [(usize, usize)], text: &[u8]) -> bool {
    if keys.len() < 2 {
        return false;
    }
    let key = |range: &(usize, usize)| &text[range.0..range.1];
    keys.sort_unstable_by(|a, b| key(a).cmp(key(b)));
    keys.windows(2).any(|pair| key(&pair[0]) == key(&pair[1]))
}

/// The same JSON with the last value of each key, as Python reads it.
fn last_of_each(text: &str) -> Option<String> {
    match text.as_bytes().first()? {
        b'{' => {
            let entries = serde_json::Deserializer::from_str(text)
                .deserialize_map(Entries)
                .ok()?;
            let mut out = String::from("{");
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key).ok()?);
                out.push(':');
                out.push_str(&last_of_each(value.get())?);
            }
            out.push('}');
            Some(out)
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let items: Option<Vec<String>> = items.iter().map(|item| last_of_each(item.get())).collect();
            Some(format!("[{}]", items?.join(",")))
        }
        _ => Some(text.to_string()),
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = IndexMap<String, &'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = IndexMap::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.insert(key, value);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn tokens_stay_and_the_last_of_a_key_counts() {
        let is = |text: &str, wanted: &str| assert_eq!(compact(text.as_bytes()), wanted);
        is(
            r#"{ "a" : [1.10, "x y\" , {", null] , "b":{} }"#,
            r#"{"a":[1.10,"x y\" , {",null],"b":{}}"#,
        );
        is(r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#);
        is(
            r#"[{"x": {"k": 1.0, "k": 2.00}}, {"k": 1}]"#,
            r#"[{"x":{"k":2.00}},{"k":1}]"#,
        );
        is(
            r#"{"a":{"k":1},"b":{"k":2},"k":3}"#,
            r#"{"a":{"k":1},"b":{"k":2},"k":3}"#,
        );
        is(r#"{"a":"a","b":"a"}"#, r#"{"a":"a","b":"a"}"#);
    }
}
