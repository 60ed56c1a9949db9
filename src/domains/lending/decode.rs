use super::event::LendingChange;
use crate::event::{Decoded, Record};
#[derive(Debug)]
pub struct Decoder;
impl Decoder {
    pub fn decode(&self, _r: &Record<'_>) -> Decoded<LendingChange> {
        Decoded::Ignored("x")
    }
}
