//! What tells a change from the others of its commit in its partition.

use super::{Identity, Lsn};

/// The parts of an identity. The table and the commit are implied: identities are compared within one commit of one
/// partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub change_lsn: Option<Lsn>,
    pub event_serial_no: Option<i64>,
    pub op: u8,
    /// As the bytes of the record: a null key is not an empty one.
    pub key: Option<&'a [u8]>,
    /// The raw before and after images, where neither change_lsn nor event_serial_no is there.
    pub images: Option<[&'a [u8]; 2]>,
}

/// Enough for the fixed parts and any key but one that carries a large schema.
const INLINE: usize = 256;
const FIXED: usize = 11 + 9 + 1 + 9;

impl Parts<'_> {
    /// Every part is of fixed width or preceded by its length, so different parts never give the same bytes.
    pub(crate) fn identity(&self) -> Identity {
        let mut fixed = [0; FIXED];
        if let Some(lsn) = self.change_lsn {
            fixed[0] = 1;
            fixed[1..11].copy_from_slice(&lsn.to_bytes());
        }
        if let Some(serial) = self.event_serial_no {
            fixed[11] = 1;
            fixed[12..20].copy_from_slice(&serial.to_le_bytes());
        }
        fixed[20] = self.op;
        let key = self.key.unwrap_or_default();
        fixed[21] = u8::from(self.key.is_some());
        fixed[22..].copy_from_slice(&length(key));

        let total = FIXED + key.len();
        if self.images.is_none() && total <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..FIXED].copy_from_slice(&fixed);
            bytes[FIXED..total].copy_from_slice(key);
            return hash(&bytes[..total]);
        }
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(&fixed);
        bytes.extend_from_slice(key);
        for image in self.images.iter().flatten() {
            bytes.extend_from_slice(&length(image));
            bytes.extend_from_slice(image);
        }
        hash(&bytes)
    }
}

fn length(part: &[u8]) -> [u8; 8] {
    (part.len() as u64).to_le_bytes()
}

fn hash(bytes: &[u8]) -> Identity {
    Identity(twox_hash::XxHash3_128::oneshot(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>() -> Parts<'a> {
        Parts { change_lsn: Some(Lsn::from_bytes([7; 10])), event_serial_no: Some(1), op: b'c', key: Some(b"{}"), images: None }
    }

    #[test]
    fn every_part_counts() {
        let long = [b'k'; INLINE];
        let all = [
            parts(),
            Parts { change_lsn: None, ..parts() },
            Parts { change_lsn: Some(Lsn::from_bytes([0; 10])), ..parts() },
            Parts { event_serial_no: None, ..parts() },
            Parts { event_serial_no: Some(0), ..parts() },
            Parts { op: b'd', ..parts() },
            Parts { key: None, ..parts() },
            Parts { key: Some(b""), ..parts() },
            Parts { key: Some(&long), ..parts() },
            Parts { images: Some([b"", b""]), ..parts() },
            Parts { images: Some([b"a", b""]), ..parts() },
            Parts { images: Some([b"", b"a"]), ..parts() },
        ];
        let identities: std::collections::BTreeSet<_> = all.iter().map(Parts::identity).collect();
        assert_eq!(identities.len(), all.len());
        assert_eq!(parts().identity(), parts().identity());
    }

    #[test]
    fn a_key_counts_alike_on_both_sides_of_the_inline_length() {
        let key = [b'k'; INLINE];
        let identity = |n: usize| Parts { key: Some(&key[..n]), ..parts() }.identity();
        assert_ne!(identity(INLINE - FIXED), identity(INLINE - FIXED + 1));
        assert_ne!(identity(INLINE - FIXED), identity(INLINE - FIXED - 1));
    }

    #[test]
    fn it_is_stable_over_versions() {
        // Identities are part of the changelog: another value here means that a re-delivery across an upgrade is not seen.
        assert_eq!(parts().identity(), Identity(261_382_157_870_555_087_424_366_039_032_440_418_833));
    }
}
