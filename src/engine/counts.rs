//! Counts by label.

/// A handful of labels, each with its count. Nothing is allocated until something is counted.
#[derive(Clone, Debug, Default)]
pub struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    pub fn add(&mut self, label: &'static str, n: u64) {
        // labels are constants: comparing addresses first makes the usual hit cheap
        match self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, label) || *known == label) {
            Some((_, count)) => *count += n,
            None => self.0.push((label, n)),
        }
    }

    pub fn add_all(&mut self, other: &Self) {
        for &(label, n) in &other.0 {
            self.add(label, n);
        }
    }

    #[must_use]
    pub fn get(&self, label: &str) -> u64 {
        self.0.iter().find(|(known, _)| *known == label).map_or(0, |(_, n)| *n)
    }

    /// By label, in alphabetical order: what is printed hangs on no order of arrival.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&'static str, u64)> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Eq for Counts {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_label_whatever_the_order() {
        let mut counts = Counts::default();
        counts.add("b", 1);
        counts.add("a", 2);
        let mut other = Counts::default();
        other.add("a", 2);
        other.add(String::leak("b".to_owned()), 1);
        assert_eq!(counts, other);
        counts.add_all(&other);
        assert_eq!(counts.sorted(), [("a", 4), ("b", 2)]);
        assert_eq!(counts.get("c"), 0);
    }
}
