//! Numbers of rows, as ranges.

/// Numbers that are there, in order.
#[derive(Debug, Default)]
pub struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    /// Adds one that is higher than all others.
    pub fn add(&mut self, number: u64) {
        match self.0.last_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => self.0.push((number, number)),
        }
    }

    /// Tells whether any is there from a number on, and below another.
    pub fn any(&self, from: u64, below: u64) -> bool {
        let at = self.0.partition_point(|(_, to)| *to < from);
        self.0.get(at).is_some_and(|(first, _)| *first < below)
    }
}

/// Returns numbers as ranges, ends included.
pub fn ranges(mut numbers: Vec<u64>) -> Vec<(u64, u64)> {
    numbers.sort_unstable();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 >= number => *to = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_a_range() {
        assert_eq!(ranges(vec![5, 3, 4, 4, 9, 1]), [(1, 1), (3, 5), (9, 9)]);
        assert_eq!(ranges(Vec::new()), []);
    }

    #[test]
    fn numbers_are_found_by_where_they_begin_and_end() {
        let mut numbers = Numbers::default();
        for number in [1, 2, 5] {
            numbers.add(number);
        }
        let found: Vec<bool> = (0..7).map(|at| numbers.any(at, at + 1)).collect();
        assert_eq!(found, [false, true, true, false, false, true, false]);
        assert!(numbers.any(3, 6) && !numbers.any(3, 5) && numbers.any(0, 100) && !numbers.any(6, 100));
    }
}
