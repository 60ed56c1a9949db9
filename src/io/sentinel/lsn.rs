//! Log sequence numbers as SQL Server writes them: virtual log file, block, slot.

use std::fmt;

use super::value::Value;

/// The place of a record in the log: `%08x:%08x:%04x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lsn {
    file: u32,
    block: u32,
    slot: u16,
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}:{:08x}:{:04x}", self.file, self.block, self.slot)
    }
}

impl Lsn {
    /// As SQL Server keeps it: ten bytes.
    pub(crate) fn to_value(self) -> Value {
        let mut bytes = Vec::with_capacity(10);
        bytes.extend(self.file.to_be_bytes());
        bytes.extend(self.block.to_be_bytes());
        bytes.extend(self.slot.to_be_bytes());
        Value::Binary(bytes.into())
    }

    pub(crate) fn of(value: &Value) -> Option<Self> {
        let Value::Binary(bytes) = value else { return None };
        let (file, rest) = bytes.split_first_chunk()?;
        let (block, rest) = rest.split_first_chunk()?;
        let slot = rest.try_into().ok()?;
        Some(Self { file: u32::from_be_bytes(*file), block: u32::from_be_bytes(*block), slot: u16::from_be_bytes(slot) })
    }

    /// The position right after or before it.
    pub(crate) fn moved(self, by: i16) -> Self {
        Self { slot: self.slot.saturating_add_signed(by), ..self }
    }
}

/// Gives out rising numbers.
#[derive(Debug)]
pub(crate) struct LogSequence {
    last: Lsn,
    /// How many change rows were written when a transaction was last read.
    taken: i64,
}

/// Log blocks begin at multiples of this.
const BLOCK: u32 = 0x18;
/// Records that fit one block.
const SLOTS: u16 = 0x1ff;
/// A log file has room for so many blocks' bytes.
const FILE: u32 = 0x00ff_ff00;

impl LogSequence {
    pub(crate) fn new() -> Self {
        Self { last: Lsn { file: 0x2d, block: 0x0a00, slot: 1 }, taken: 0 }
    }

    /// The last position that was given out.
    pub(crate) fn last(&self) -> Lsn {
        self.last
    }

    pub(crate) fn taken(&self) -> i64 {
        self.taken
    }

    pub(crate) fn take(&mut self, count: i64) {
        self.taken = count;
    }

    /// A transaction begins in a block of its own.
    pub(crate) fn begin(&mut self) {
        if self.last.block >= FILE {
            self.last = Lsn { file: self.last.file.saturating_add(1), block: BLOCK, slot: 2 };
        } else {
            self.last = Lsn { block: self.last.block + BLOCK, slot: 2, ..self.last };
        }
    }

    pub(crate) fn change(&mut self) -> Lsn {
        if self.last.slot >= SLOTS {
            self.begin();
        }
        self.last.slot += 1;
        self.last
    }

    /// The commit comes behind all changes.
    pub(crate) fn commit(&mut self) -> Lsn {
        self.last.slot += 4;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_within_and_across_transactions() {
        let mut log = LogSequence::new();
        let mut last = log.last;
        for _ in 0..3 {
            log.begin();
            for _ in 0..2000 {
                let next = log.change();
                assert!(next > last);
                assert!(next.to_string() > last.to_string());
                last = next;
            }
            let commit = log.commit();
            assert!(commit > last);
            last = commit;
        }
    }

    #[test]
    fn the_form_is_sql_servers() {
        let mut log = LogSequence::new();
        log.begin();
        assert_eq!(log.change().to_string(), "0000002d:00000a18:0003");
        assert_eq!(log.commit().to_string(), "0000002d:00000a18:0007");
    }
}
