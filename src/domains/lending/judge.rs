use super::{case::Case, expected::*, settings::LendingRules};
#[derive(Debug)]
pub struct Judgement;
pub fn question(_c: &Case, _r: &LendingRules) -> Option<Question> {
    None
}
pub fn judge(_c: Case, _a: Option<&Answer>, _r: &LendingRules) -> Judgement {
    Judgement
}
