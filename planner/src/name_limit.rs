//! How long the names are that a database keeps.

use sha2::{Digest, Sha256};

use crate::dialect::Dialect;

/// How long a name of a table or column may be. A longer one would be cut, and mean another table or column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameLimit {
    /// So many bytes of UTF-8.
    Bytes(usize),
    Characters(usize),
}

impl Dialect {
    /// Returns how long a name may be; none where the database sets no limit that matters.
    pub fn name_limit(self) -> Option<NameLimit> {
        match self {
            // NAMEDATALEN - 1
            Dialect::Postgres => Some(NameLimit::Bytes(63)),
            Dialect::MySql => Some(NameLimit::Characters(64)),
            Dialect::Snowflake => Some(NameLimit::Characters(255)),
            Dialect::Staging | Dialect::DuckDb | Dialect::Sqlite | Dialect::Generic => None,
        }
    }
}

impl NameLimit {
    fn most(self) -> usize {
        match self {
            NameLimit::Bytes(most) | NameLimit::Characters(most) => most,
        }
    }

    fn length(self, name: &str) -> usize {
        match self {
            NameLimit::Bytes(_) => name.len(),
            NameLimit::Characters(_) => name.chars().count(),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            NameLimit::Bytes(_) => "bytes",
            NameLimit::Characters(_) => "characters",
        }
    }

    /// Returns what to say behind "is too long"; none when the name fits.
    pub fn exceeded(self, name: &str) -> Option<String> {
        let length = self.length(name);
        (length > self.most()).then(|| {
            let (most, unit) = (self.most(), self.unit());
            format!("the database keeps {most} {unit} of a name, and it has {length}")
        })
    }

    /// Returns a name that fits: one that does not is cut and given a hash of the whole, so that the same name becomes the
    /// same one every time, and two names stay two.
    pub fn shortened(self, name: &str) -> Option<String> {
        if self.length(name) <= self.most() {
            return None;
        }
        let digest = Sha256::digest(name.as_bytes());
        let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let room = self.most() - hash.len() - 1;
        let mut short = String::new();
        for c in name.chars() {
            if self.length(&short) + self.length(c.encode_utf8(&mut [0; 4])) > room {
                break;
            }
            short.push(c);
        }
        Some(format!("{}_{hash}", short.trim_end_matches('_')))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let bytes = NameLimit::Bytes(63);
        assert_eq!(bytes.shortened(&"a".repeat(63)), None);
        let one = bytes.shortened(&"a".repeat(64)).unwrap();
        let other = bytes.shortened(&"a".repeat(65)).unwrap();
        assert_eq!((one.len(), other.len()), (63, 63));
        assert_ne!(one, other);
        let wide = bytes.shortened(&"ä".repeat(64)).unwrap();
        assert!(wide.len() <= 63 && wide.starts_with("ää"), "{wide}");
        let characters = NameLimit::Characters(64);
        assert_eq!(characters.shortened(&"ä".repeat(64)), None);
        assert_eq!(characters.shortened(&"ä".repeat(65)).unwrap().chars().count(), 64);
        assert!(
            bytes
                .exceeded(&"ä".repeat(32))
                .unwrap()
                .contains("63 bytes of a name, and it has 64")
        );
    }
}
