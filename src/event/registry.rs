//! stub
#[derive(Debug)]
pub struct Registry;
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("x")]
pub struct RegistryError;
