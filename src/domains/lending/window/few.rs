//! A queue for what is nearly always nothing, or one.

use std::collections::VecDeque;
use std::ops::Deref;

use serde::{Deserialize, Serialize, Serializer};

/// In the order of their coming. A word without any, and with one the room for one: hundreds of thousands of windows are
/// open at a time, and a window has several of these. With many, the first is taken out as fast as the last.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "VecDeque<T>")]
pub(super) struct Few<T>(#[expect(clippy::box_collection, reason = "a word where there is none")] Option<Box<VecDeque<T>>>);

impl<T: 'static> Few<T> {
    const NONE: &'static VecDeque<T> = &VecDeque::new();

    pub(super) fn push(&mut self, item: T) {
        self.0.get_or_insert_with(|| Box::new(VecDeque::with_capacity(1))).push_back(item);
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<T> {
        let item = self.0.as_mut()?.remove(index);
        self.0.take_if(|items| items.is_empty());
        item
    }

    /// Takes out all that are such.
    pub(super) fn take(&mut self, such: impl Fn(&T) -> bool) -> Vec<T> {
        if !self.iter().any(&such) {
            return Vec::new();
        }
        let (taken, left): (Vec<_>, Vec<_>) = VecDeque::from(std::mem::take(self)).into_iter().partition(such);
        *self = VecDeque::from(left).into();
        taken
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flat_map(|items| items.iter_mut())
    }
}

impl<T: 'static> Deref for Few<T> {
    type Target = VecDeque<T>;

    fn deref(&self) -> &VecDeque<T> {
        self.0.as_deref().unwrap_or(Self::NONE)
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Serialize + 'static> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<T> From<VecDeque<T>> for Few<T> {
    fn from(items: VecDeque<T>) -> Self {
        Self((!items.is_empty()).then(|| Box::new(items)))
    }
}

impl<T> From<Few<T>> for VecDeque<T> {
    fn from(few: Few<T>) -> Self {
        // without a queue there is none in it
        few.0.map(|items| *items).unwrap_or_default()
    }
}
