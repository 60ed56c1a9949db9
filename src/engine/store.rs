//! Where open windows live.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::Key;

/// Open windows by key, and nothing else: a key without anything open costs nothing.
///
/// Sharded, so that the ops endpoint can look into it while it changes. Only the processor writes.
#[derive(Debug)]
pub struct StateStore<W> {
    windows: DashMap<Key, Kept<W>, foldhash::fast::RandomState>,
}

#[derive(Debug)]
struct Kept<W> {
    window: W,
    /// The partition of the changelog in which it is kept.
    home: i32,
}

impl<W> Default for StateStore<W> {
    fn default() -> Self {
        Self { windows: DashMap::with_hasher(foldhash::fast::RandomState::default()) }
    }
}

impl<W: Default + Clone> StateStore<W> {
    /// Runs `change` on the key's window, a new one at `home` if there is none, and drops the window if it is closed
    /// afterwards. Gives the home of the window that was there before.
    pub(super) fn update(
        &self,
        key: &Key,
        home: i32,
        change: impl FnOnce(&mut W),
        is_closed: impl FnOnce(&W) -> bool,
    ) -> Option<i32> {
        match self.windows.entry(key.clone()) {
            Entry::Occupied(mut entry) => {
                let before = entry.get().home;
                change(&mut entry.get_mut().window);
                if is_closed(&entry.get().window) {
                    entry.remove();
                }
                Some(before)
            }
            Entry::Vacant(entry) => {
                let mut window = W::default();
                change(&mut window);
                if !is_closed(&window) {
                    entry.insert(Kept { window, home });
                }
                None
            }
        }
    }

    /// Puts back a window that was kept at `home`.
    pub(super) fn restore(&self, key: Key, home: i32, window: W) {
        self.windows.insert(key, Kept { window, home });
    }

    /// Lends the key's window and its home.
    pub(super) fn with<T>(&self, key: &Key, read: impl FnOnce(&W, i32) -> T) -> Option<T> {
        self.windows.get(key).map(|kept| read(&kept.window, kept.home))
    }

    /// Lends every window, in no order.
    pub(super) fn each(&self, mut see: impl FnMut(&Key, &W)) {
        self.windows.iter().for_each(|entry| see(entry.key(), &entry.value().window));
    }

    /// A copy of what is open for this key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<W> {
        self.with(key, |window, _| window.clone())
    }

    /// Looks at each window, in no order.
    pub fn for_each(&self, mut look: impl FnMut(&W)) {
        self.windows.iter().for_each(|kept| look(&kept.window));
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
