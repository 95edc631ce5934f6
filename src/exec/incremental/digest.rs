//! Digests of what decides what a step asks for, or sends.

use sha2::{Digest, Sha256};

/// A digest of texts, in hexadecimal.
pub fn digest(texts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    }
    format!("{:x}", digest.finalize())
}

/// Returns a part of a plan without the places where its texts stand: a line above it changes nothing.
pub fn as_written(mut part: serde_json::Value) -> serde_json::Value {
    match &mut part {
        serde_json::Value::Object(entries) => {
            entries.remove("place");
            for entry in entries.values_mut() {
                *entry = as_written(entry.take());
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                *item = as_written(item.take());
            }
        }
        _ => {}
    }
    part
}
