//! Places where tests have the process die. Nothing of this is in a binary that was built without the feature `failpoints`.
//!
//! The environment variable `TIDEWAITER_FAILPOINT` names one: `begin.before#3` dies when it comes there for the third time.

/// Dies here if a test wants it, after doing what is given.
macro_rules! failpoint {
    ($name:literal) => {
        failpoint!($name, ())
    };
    ($name:literal, $first:expr) => {
        #[cfg(feature = "failpoints")]
        $crate::io::kafka::failpoint::at($name, || {
            let _done_or_not = $first;
        });
    };
}

pub(super) use failpoint;

#[cfg(feature = "failpoints")]
pub(super) fn at(name: &str, first: impl FnOnce()) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static WANTED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let wanted = std::env::var("TIDEWAITER_FAILPOINT").ok()?;
        let (name, time) = wanted.split_once('#').expect("a test writes NAME#TIME");
        Some((name.to_owned(), time.parse().expect("a test writes a number")))
    });
    static TIMES: AtomicU32 = AtomicU32::new(0);

    let Some((wanted, time)) = WANTED.as_ref() else { return };
    if wanted == name && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == *time {
        first();
        std::process::abort();
    }
}
