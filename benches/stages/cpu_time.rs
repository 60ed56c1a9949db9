//! Time of this thread on a core, instead of time that passes: other people's work on the machine counts for little then. All
//! that is measured here is done by one thread.

use std::time::Duration;

use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

pub(crate) type CpuCriterion = Criterion<CpuTime>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTime;

fn spent() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("a thread has not worked less than nothing")
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        spent()
    }

    fn end(&self, before: Duration) -> Duration {
        spent().saturating_sub(before)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
