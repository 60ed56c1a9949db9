//! What operators see of a running pipeline, and the little they may do to it, over HTTP.
//!
//! ```text
//!  pipeline ─ Observer ─► Monitor ─► Watched ◄─ watch: once a second, against what the source has read
//!                                      │
//!            /metrics /healthz /readyz /config     open: no row's value in them
//!            /state/{key}  POST /reload            with the bearer token only; off where none is configured
//! ```
//!
//! It knows no domain: how a window shows, and whose judgement one is, come in as a [`View`].

mod http;
mod monitor;
mod readiness;
mod recent;

pub use http::{Control, Endpoint, Token};
pub use monitor::{Monitor, View, Watched, watch};
