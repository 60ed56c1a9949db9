//! The time that scripts read: it starts where the caller says and moves only by what scripts do.

use chrono::{NaiveDateTime, TimeDelta, Timelike};

/// How far one statement moves the clock, so that no two statements share a time.
const STEP: TimeDelta = TimeDelta::milliseconds(10);

/// A replay's clock. Local time and UTC are the same.
#[derive(Clone, Copy, Debug)]
pub struct ReplayClock {
    now: NaiveDateTime,
}

impl ReplayClock {
    #[must_use]
    pub fn new(start: NaiveDateTime) -> Self {
        Self { now: start }
    }

    /// The time with 100 ns, as SYSDATETIME gives it.
    #[must_use]
    pub fn now(&self) -> NaiveDateTime {
        self.now
    }

    /// Milliseconds since the epoch, as a DATETIME holds them: they end in 0, 3 or 7.
    #[must_use]
    pub fn datetime_millis(&self) -> i64 {
        to_datetime(self.now).unwrap_or(self.now).and_utc().timestamp_millis()
    }

    pub(crate) fn step(&mut self) {
        self.advance(STEP);
    }

    /// Moves the clock; it stays where it is when the calendar ends.
    pub(crate) fn advance(&mut self, by: TimeDelta) {
        self.now = self.now.checked_add_signed(by).unwrap_or(self.now);
    }
}

/// A time rounded to the ticks of DATETIME, which are a three-hundredth of a second.
pub(crate) fn to_datetime(time: NaiveDateTime) -> Option<NaiveDateTime> {
    let ticks = (u64::from(time.nanosecond()) * 300 + 500_000_000) / 1_000_000_000;
    let millis = (ticks * 10 + 1) / 3;
    let whole = time.with_nanosecond(0)?;
    whole.checked_add_signed(TimeDelta::milliseconds(i64::try_from(millis).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn datetime_milliseconds_end_in_0_3_or_7() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 15).expect("a date");
        for (millis, expected) in [(0, 0), (1, 0), (2, 3), (4, 3), (5, 7), (8, 7), (9, 10), (355, 357), (994, 993)] {
            let time = day.and_hms_milli_opt(9, 0, 0, millis).expect("a time");
            let rounded = to_datetime(time).expect("in range").and_utc().timestamp_subsec_millis();
            assert_eq!(rounded, expected, "{millis}");
        }
        let last = day.and_hms_milli_opt(9, 0, 0, 999).expect("a time");
        assert_eq!(to_datetime(last), day.and_hms_opt(9, 0, 1));
    }
}
