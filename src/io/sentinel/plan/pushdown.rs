//! Conditions taken as far down into FROM as they may go.

use super::super::syntax::ast::{Comparison, JoinKind};
use super::expr::Bound;
use super::from::{FromPlan, Join, Source};

impl FromPlan {
    /// Takes a condition on the whole row as far down as it may go.
    pub(crate) fn push(&mut self, condition: Bound) {
        match self {
            Self::Leaf { source, filters, .. } => {
                if let Source::Table { lookups, .. } = source {
                    lookups.extend(lookup(&condition));
                }
                filters.push(condition);
            }
            Self::Join(join) => join.push_where(condition),
            Self::Apply { left, filters, .. } => match condition.columns() {
                Ok(Some((_, high))) if high < left.width() => left.push(condition),
                _ => filters.push(condition),
            },
        }
    }
}

/// `column = value`, where the value does not hang on the row: a look-up by that column.
fn lookup(condition: &Bound) -> Option<(usize, Bound)> {
    let Bound::Compare(Comparison::Equal, pair) = condition else { return None };
    let (column, value) = match (&pair.0, &pair.1) {
        (Bound::Column { depth: 0, index }, value) | (value, Bound::Column { depth: 0, index }) => (*index, value),
        _ => return None,
    };
    // The row id comes first.
    let column = column.checked_sub(1)?;
    (value.columns() == Ok(None)).then(|| (column, value.clone()))
}

impl Join {
    /// A condition of WHERE.
    fn push_where(&mut self, condition: Bound) {
        let width = self.left.width();
        match condition.columns() {
            Ok(Some((_, high))) if high < width && matches!(self.kind, JoinKind::Inner | JoinKind::Left) => {
                self.left.push(condition);
            }
            Ok(Some((low, _))) if low >= width && matches!(self.kind, JoinKind::Inner | JoinKind::Right) => {
                self.right.push(condition.shifted(width));
            }
            Ok(Some(_)) if self.kind == JoinKind::Inner => self.push_on(condition),
            _ => self.filters.push(condition),
        }
    }

    /// A condition of ON.
    pub(super) fn push_on(&mut self, condition: Bound) {
        let width = self.left.width();
        match condition.columns() {
            Ok(Some((_, high))) if high < width && matches!(self.kind, JoinKind::Inner | JoinKind::Right) => {
                self.left.push(condition);
            }
            Ok(Some((low, _))) if low >= width && matches!(self.kind, JoinKind::Inner | JoinKind::Left) => {
                self.right.push(condition.shifted(width));
            }
            _ => match key(&condition, width) {
                Some(key) => self.keys.push(key),
                None => self.on.push(condition),
            },
        }
    }
}

/// An equality between the two sides of a join.
fn key(condition: &Bound, width: usize) -> Option<(Bound, Bound)> {
    let Bound::Compare(Comparison::Equal, pair) = condition else { return None };
    let side = |bound: &Bound| match bound.columns() {
        Ok(Some((_, high))) if high < width => Some(false),
        Ok(Some((low, _))) if low >= width => Some(true),
        _ => None,
    };
    match (side(&pair.0)?, side(&pair.1)?) {
        (false, true) => Some((pair.0.clone(), pair.1.clone().shifted(width))),
        (true, false) => Some((pair.1.clone(), pair.0.clone().shifted(width))),
        _ => None,
    }
}
