//! Ranges of positions that are covered: what was asked for up to now.

use super::position::{Kind, Position};

/// A range, ends included; without a start it begins with the first row.
pub type Range = (Option<Position>, Position);

/// A part that is not covered; without an end it goes on.
pub type Gap = (Option<Position>, Option<Position>);

/// Ranges that do not touch, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// Adds a range; those that it touches become one with it.
    pub fn add(&mut self, (mut from, mut to): Range) {
        if from.as_ref().is_some_and(|from| *from > to) {
            return;
        }
        let mut apart = Vec::with_capacity(self.0.len() + 1);
        for (start, end) in std::mem::take(&mut self.0) {
            let before = from.as_ref().is_some_and(|from| end < *from);
            let behind = start.as_ref().is_some_and(|start| to < *start);
            if before || behind {
                apart.push((start, end));
            } else {
                // No start is before every other.
                from = from.min(start);
                to = to.max(end);
            }
        }
        apart.push((from, to));
        apart.sort();
        self.0 = apart;
    }

    /// Returns what lies in both.
    pub fn and(&self, other: &Ranges) -> Ranges {
        let mut both = Ranges::default();
        for (a_from, a_to) in &self.0 {
            for (b_from, b_to) in &other.0 {
                let from = a_from.clone().max(b_from.clone());
                both.add((from, a_to.clone().min(b_to.clone())));
            }
        }
        both
    }

    /// Returns the parts between a start and an end that are not covered. The last one begins where the last range ends, as
    /// the others do: rows of that very position may have come since.
    pub fn gaps(&self, from: Option<&Position>, to: Option<&Position>) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut at = from.cloned();
        for (start, end) in &self.0 {
            if at.as_ref().is_some_and(|at| *end < *at) {
                continue;
            }
            if let Some(start) = start
                && at.as_ref().is_none_or(|at| at < start)
            {
                if to.is_some_and(|to| to <= start) {
                    break;
                }
                gaps.push((at.clone(), Some(start.clone())));
            }
            at = Some(end.clone());
        }
        if to.is_none_or(|to| at.as_ref().is_none_or(|at| at <= to)) {
            gaps.push((at, to.cloned()));
        }
        gaps
    }

    /// Returns where the last range ends; none where there is none.
    pub fn end(&self) -> Option<&Position> {
        self.0.last().map(|(_, end)| end)
    }

    /// Returns the ranges.
    pub fn iter(&self) -> impl Iterator<Item = &Range> {
        self.0.iter()
    }

    /// Tells whether nothing is covered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them down: a JSON list of pairs.
    pub fn to_json(&self) -> String {
        let pairs = self
            .0
            .iter()
            .map(|(from, to)| serde_json::json!([from.as_ref().map(ToString::to_string), to.to_string()]));
        serde_json::Value::from_iter(pairs).to_string()
    }

    /// Reads what [`Ranges::to_json`] wrote of a cursor of this kind; none where it is none of it.
    pub fn read(text: &str, kind: Kind) -> Option<Ranges> {
        let pairs: Vec<(Option<String>, String)> = serde_json::from_str(text).ok()?;
        let mut ranges = Ranges::default();
        for (from, to) in pairs {
            let from = match from {
                None => None,
                Some(from) => Some(kind.read(&from)?),
            };
            ranges.add((from, kind.read(&to)?));
        }
        Some(ranges)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn n(n: i128) -> Position {
        Position::Number(n)
    }

    fn of(pairs: &[(i128, i128)]) -> Ranges {
        let mut ranges = Ranges::default();
        pairs.iter().for_each(|(a, b)| ranges.add((Some(n(*a)), n(*b))));
        ranges
    }

    #[test]
    fn what_is_asked_is_what_is_missing() {
        let ranges = of(&[(10, 20), (30, 40)]);
        assert_eq!(
            ranges.gaps(Some(&n(0)), Some(&n(50))),
            [
                (Some(n(0)), Some(n(10))),
                (Some(n(20)), Some(n(30))),
                (Some(n(40)), Some(n(50)))
            ]
        );
        assert_eq!(
            ranges.gaps(Some(&n(10)), None),
            [(Some(n(20)), Some(n(30))), (Some(n(40)), None)]
        );
        assert_eq!(
            ranges.gaps(Some(&n(12)), Some(&n(18))),
            [(Some(n(20)), Some(n(18)))][..0]
        );
        assert_eq!(Ranges::default().gaps(None, None), [(None, None)]);
    }

    proptest! {
        /// Whatever is added in whatever order: each number is covered, or in a gap.
        #[test]
        fn gaps_and_ranges_are_everything(
            pairs in proptest::collection::vec((0_i128..60, 0_i128..20), 0..8),
            from in 0_i128..40,
            length in 0_i128..60,
        ) {
            let pairs: Vec<(i128, i128)> = pairs.iter().map(|(a, l)| (*a, a + l)).collect();
            let ranges = of(&pairs);
            let to = from + length;
            let gaps = ranges.gaps(Some(&n(from)), Some(&n(to)));
            for x in from..=to {
                let covered = pairs.iter().any(|(a, b)| *a <= x && x <= *b);
                let asked = gaps.iter().any(|(a, b)| {
                    a.as_ref().is_none_or(|a| *a <= n(x)) && b.as_ref().is_none_or(|b| n(x) <= *b)
                });
                prop_assert!(covered || asked, "{} of {:?}: {:?}", x, pairs, gaps);
                // Ends are asked for again, and nothing else.
                let inside = pairs.iter().any(|(a, b)| *a < x && x < *b);
                prop_assert!(!(inside && asked) || pairs.iter().any(|(a, b)| *a == x || *b == x));
            }
            let all: Vec<&Range> = ranges.iter().collect();
            prop_assert!(all.windows(2).all(|two| Some(&two[0].1) < two[1].0.as_ref()));
            prop_assert_eq!(Ranges::read(&ranges.to_json(), Kind::Number), Some(ranges));
        }

        #[test]
        fn what_both_cover(
            a in proptest::collection::vec((0_i128..60, 0_i128..20), 0..6),
            b in proptest::collection::vec((0_i128..60, 0_i128..20), 0..6),
        ) {
            let pairs = |of: &[(i128, i128)]| of.iter().map(|(a, l)| (*a, a + l)).collect::<Vec<_>>();
            let (a, b) = (pairs(&a), pairs(&b));
            let both = of(&a).and(&of(&b));
            for x in 0..90 {
                let within = |of: &[(i128, i128)]| of.iter().any(|(from, to)| *from <= x && x <= *to);
                let found = both.iter().any(|(from, to)| *from <= Some(n(x)) && n(x) <= *to);
                prop_assert_eq!(found, within(&a) && within(&b), "{}", x);
            }
        }
    }
}
