//! Keys that a database takes for one, and that are spelled in different ways: the API knows the one that was sent last.

use sequor_planner::Dialect;

use super::comparison::Comparison;

/// Statements about rows whose keys are spelled in another way than when they were sent.
pub struct Respelled {
    /// How many there are.
    pub count: String,
    /// Takes them out of the snapshot as they were spelled.
    pub delete: String,
}

impl Comparison {
    /// Tells whether the database may take texts for one that differ.
    pub(super) fn folds(&self) -> bool {
        matches!(self.dialect(), Dialect::MySql | Dialect::Sqlite)
    }

    /// Returns the texts among the columns of the key.
    pub fn text_keys(&self) -> Vec<String> {
        let keys = self
            .columns
            .iter()
            .filter(|column| column.is_key && column.is_text);
        keys.map(|column| column.name.clone()).collect()
    }

    /// The texts of the key that may be spelled in different ways, quoted.
    pub(super) fn folded_keys(&self) -> Vec<String> {
        match self.folds() {
            true => self
                .text_keys()
                .iter()
                .map(|name| self.names.quote(name))
                .collect(),
            false => Vec::new(),
        }
    }

    /// A text as it is compared letter by letter, whatever its order and character set.
    pub(super) fn letters(&self, text: &str) -> String {
        match self.dialect() {
            Dialect::MySql => format!("CAST(CONVERT({text} USING utf8mb4) AS BINARY)"),
            _ => format!("CAST({text} AS BLOB)"),
        }
    }

    /// Returns the statements about rows of a sending, by its id and their numbers; none where keys are spelled in one way.
    pub fn respelled(&self, id: &str, ranges: &[(u64, u64)]) -> Option<Respelled> {
        let texts = self.folded_keys();
        if texts.is_empty() {
            return None;
        }
        let names = &self.names;
        let was = |at: usize| self.letters(&format!("p.{}", names.spelling(at)));
        let each = || texts.iter().enumerate();
        let differs: Vec<String> = each()
            .map(|(at, key)| format!("{} <> {}", was(at), self.letters(&format!("p.{key}"))))
            .collect();
        let those = format!("{} AND ({})", self.those(id, ranges), differs.join(" OR "));
        Some(Respelled {
            count: format!("SELECT count(*) AS a FROM {} p WHERE {those}", names.pending),
            delete: match self.dialect() {
                Dialect::MySql => self.delete_by_join(&those, &was),
                _ => self.delete_by_list(&those, &texts),
            },
        })
    }

    /// By the key's index: both keys have one order.
    fn delete_by_join(&self, those: &str, was: &dyn Fn(usize) -> String) -> String {
        let names = &self.names;
        let same = self.keys().map(|key| format!("t.{key} = p.{key}"));
        let texts = self.folded_keys().into_iter().enumerate();
        let spelled = texts.map(|(at, key)| format!("{} = {}", was(at), self.letters(&format!("t.{key}"))));
        let all: Vec<String> = same.chain(spelled).collect();
        format!(
            "DELETE t FROM {} t JOIN {} p ON {} WHERE t.{} = '{}' AND {those}",
            names.snapshot,
            names.pending,
            all.join(" AND "),
            names.meta("scope"),
            self.scope
        )
    }

    /// By the key's index, whose order is that of the letters.
    fn delete_by_list(&self, those: &str, texts: &[String]) -> String {
        let names = &self.names;
        let keys: Vec<String> = self.keys().collect();
        let was = keys
            .iter()
            .map(|key| match texts.iter().position(|text| text == key) {
                Some(at) => format!("p.{}", names.spelling(at)),
                None => format!("p.{key}"),
            });
        let was: Vec<String> = was.collect();
        format!(
            "DELETE FROM {} WHERE {} = '{}' AND ({}) IN (SELECT {} FROM {} p WHERE {those})",
            names.snapshot,
            names.meta("scope"),
            self.scope,
            keys.join(", "),
            was.join(", "),
            names.pending
        )
    }
}
