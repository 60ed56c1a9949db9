//! Ports that nobody listens on.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use anyhow::bail;

/// Below the range from which the kernel takes ports for outgoing connections. A client that tries again and again to reach
/// a broker that is down would, sooner or later, be given that very port as its own, and the broker could not come back.
const RANGE: Range<u16> = 20_000..32_000;

/// So many ports that were free a moment ago, none twice.
pub(super) fn free(count: usize) -> anyhow::Result<Vec<u16>> {
    // clusters that start at the same time begin at different places
    let start = RandomState::new().hash_one(0_u8) % u64::from(RANGE.end - RANGE.start);
    let start = RANGE.start + u16::try_from(start).expect("smaller than the range");
    let ports = free_among((start..RANGE.end).chain(RANGE.start..start), count);
    if ports.len() < count {
        bail!("no free ports on {} from {} to {}", Ipv4Addr::LOCALHOST, RANGE.start, RANGE.end - 1);
    }
    Ok(ports)
}

fn free_among(candidates: impl Iterator<Item = u16>, count: usize) -> Vec<u16> {
    candidates.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(free_among([port].into_iter(), 1), [0_u16; 0]);
        drop(taken);
        assert_eq!(free_among([port].into_iter(), 1), [port]);
    }

    #[test]
    fn ports_are_all_different() {
        let mut ports = free(6).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 6);
    }
}
