//! Numbers of rows, as ranges.

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
}
