//! The groups of dictionary-encoded texts.

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Int32Type;
use datafusion::common::Result as PlanResult;
use datafusion::physical_expr_common::binary_map::{ArrowBytesMap, OutputType};

/// No row had the value yet.
const UNSEEN: usize = usize::MAX;
/// A row of this batch has it.
const MET: usize = usize::MAX - 1;

/// Numbers the different texts that rows have, from 0.
pub struct Groups {
    texts: ArrowBytesMap<i32, usize>,
    /// The values that `codes` is about.
    dictionary: Option<StringArray>,
    /// The group of each value of the dictionary.
    codes: Vec<usize>,
    null: Option<usize>,
}

impl Groups {
    /// Returns no groups.
    pub fn new() -> Self {
        Groups {
            texts: ArrowBytesMap::new(OutputType::Utf8),
            dictionary: None,
            codes: Vec::new(),
            null: None,
        }
    }

    /// Returns how many groups there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Bytes that the texts take.
    pub fn size(&self) -> usize {
        self.texts.size()
    }

    /// Writes the group of each row to `rows`. Values that no row has make no group.
    pub fn of(&mut self, keys: &DictionaryArray<Int32Type>, rows: &mut Vec<usize>) -> PlanResult<()> {
        let values = keys.values().as_string::<i32>();
        if !self.dictionary.as_ref().is_some_and(|known| same(known, values)) {
            self.codes.clear();
            self.codes.resize(values.len(), UNSEEN);
            self.dictionary = Some(values.clone());
        }
        self.meet(keys)?;
        rows.clear();
        let codes = keys.keys();
        match codes.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => rows.extend(codes.values().iter().map(|code| self.codes[*code as usize])),
            Some(_) => {
                let null = self.null_group();
                rows.extend(
                    codes
                        .iter()
                        .map(|code| code.map_or(null, |code| self.codes[code as usize])),
                );
            }
        }
        Ok(())
    }

    /// Gives a group to the values that are met for the first time.
    fn meet(&mut self, keys: &DictionaryArray<Int32Type>) -> PlanResult<()> {
        let mut met: Vec<u32> = Vec::new();
        let codes = keys.keys();
        for (row, code) in codes.values().iter().enumerate() {
            // What stands in a null's place need not be a code.
            let code = *code as usize;
            if codes.is_valid(row) && self.codes[code] == UNSEEN {
                self.codes[code] = MET;
                met.push(code as u32);
            }
        }
        if met.is_empty() {
            return Ok(());
        }
        let texts = take(keys.values(), &UInt32Array::from(met.clone()), None)?;
        let mut met = met.into_iter();
        let (known, codes) = (&mut self.texts, &mut self.codes);
        let mut next = known.len();
        let new = |_: Option<&[u8]>| {
            next += 1;
            next - 1
        };
        known.insert_if_new(&texts, new, |group| {
            // As many as were taken, in their order.
            if let Some(code) = met.next() {
                codes[code as usize] = group;
            }
        });
        Ok(())
    }

    /// The group of the rows without a text.
    fn null_group(&mut self) -> usize {
        if let Some(group) = self.null {
            return group;
        }
        let mut group = self.texts.len();
        let null: ArrayRef = std::sync::Arc::new(StringArray::new_null(1));
        let new = group;
        self.texts.insert_if_new(&null, |_| new, |found| group = found);
        self.null = Some(group);
        group
    }

    /// Returns the texts by their groups; there are none afterwards.
    pub fn take(&mut self) -> ArrayRef {
        let texts = std::mem::replace(self, Groups::new()).texts;
        texts.into_state()
    }
}

/// Whether both are the very same values in memory. `known` is held, so that no other array can have its place.
fn same(known: &StringArray, values: &StringArray) -> bool {
    known.len() == values.len()
        && known.values().as_ptr() == values.values().as_ptr()
        && known.offsets().as_ptr() == values.offsets().as_ptr()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn groups(groups: &mut Groups, keys: &DictionaryArray<Int32Type>) -> Vec<usize> {
        let mut rows = Vec::new();
        groups.of(keys, &mut rows).expect("groups");
        rows
    }

    #[test]
    fn a_text_has_one_group_whatever_dictionary_it_is_in() {
        let mut known = Groups::new();
        let first: DictionaryArray<Int32Type> = [Some("b"), None, Some("a"), Some("b")].into_iter().collect();
        assert_eq!(groups(&mut known, &first), [0, 2, 1, 0]);
        let second: DictionaryArray<Int32Type> =
            [Some("a"), Some("c"), None, Some("b")].into_iter().collect();
        assert_eq!(groups(&mut known, &second), [1, 3, 2, 0]);
        assert_eq!(known.len(), 4);
        let texts = known.take();
        let texts: Vec<Option<&str>> = texts.as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("b"), Some("a"), None, Some("c")]);
        assert_eq!(known.len(), 0);
        assert_eq!(groups(&mut known, &second), [0, 1, 3, 2]);
    }

    #[test]
    fn values_without_rows_make_no_group() {
        let mut known = Groups::new();
        let all: DictionaryArray<Int32Type> = ["a", "b", "c"].into_iter().collect();
        assert_eq!(groups(&mut known, &all.slice(2, 1)), [0]);
        assert_eq!(groups(&mut known, &all.slice(0, 1)), [1]);
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn a_null_among_the_values_is_the_null_of_the_rows() {
        let mut known = Groups::new();
        let values: ArrayRef = std::sync::Arc::new(StringArray::from(vec![Some("a"), None]));
        let codes = arrow::array::Int32Array::from(vec![Some(1), Some(0), None]);
        let keys = DictionaryArray::try_new(codes, values).expect("an array");
        assert_eq!(groups(&mut known, &keys), [0, 1, 0]);
    }
}
