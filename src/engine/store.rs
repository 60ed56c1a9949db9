//! Where open windows live.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::Key;

/// Open windows by key, and nothing else: a key without anything open costs nothing.
///
/// Sharded, so that the ops endpoint can look into it while it changes. Only the processor writes.
#[derive(Debug)]
pub struct StateStore<W> {
    windows: DashMap<Key, W, foldhash::fast::RandomState>,
}

impl<W> Default for StateStore<W> {
    fn default() -> Self {
        Self { windows: DashMap::with_hasher(foldhash::fast::RandomState::default()) }
    }
}

impl<W: Default + Clone> StateStore<W> {
    /// Runs `change` on the key's window, a new one if there is none, and drops the window if it is closed afterwards.
    pub(super) fn update<T>(&self, key: &Key, change: impl FnOnce(&mut W) -> T, is_closed: impl FnOnce(&W) -> bool) -> T {
        match self.windows.entry(key.clone()) {
            Entry::Occupied(mut entry) => {
                let result = change(entry.get_mut());
                if is_closed(entry.get()) {
                    entry.remove();
                }
                result
            }
            Entry::Vacant(entry) => {
                let mut window = W::default();
                let result = change(&mut window);
                if !is_closed(&window) {
                    entry.insert(window);
                }
                result
            }
        }
    }

    /// A copy of what is open for this key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<W> {
        self.windows.get(key).map(|window| window.clone())
    }

    /// Looks at each window, in no order.
    pub fn for_each(&self, mut look: impl FnMut(&W)) {
        self.windows.iter().for_each(|window| look(&window));
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    pub(super) fn clear(&self) {
        self.windows.clear();
    }
}
