//! A real Apache Kafka without Docker: assembled from its published jars, run on free ports, thrown away afterwards.
//!
//! ```text
//!  pom.xml ─► Maven ─► target/kafka/VERSION/lib     distribution: fetched once, compared with jars.sha256
//!                              │
//!                              ▼
//!  target/kafka/run/NAME/   broker-N.properties, broker-N.log, data-N, cluster.json
//!                              │ StorageTool, then one JVM a broker: each of them broker and controller
//!                              ▼
//!  ready when every broker answers a metadata request and names all of them
//! ```
//!
//! A cluster begins empty and its data goes when it is stopped; its logs stay until the next one of that name. The settings
//! are for tests: short time-outs, few partitions of internal topics, records kept whatever their time.

mod broker;
mod cluster;
mod distribution;
mod java;
mod metadata;
mod ports;
mod process;
mod state;

pub use cluster::Cluster;
pub use distribution::{Missing, VERSION, missing};
pub use state::{BrokerState, ClusterState, Gateway, PASSWORD, USER};

use std::path::{Path, PathBuf};

/// `target/kafka`, wherever the target folder is.
fn home() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the workspace");
    // a relative one counts from the workspace here, whatever the folder that cargo was called in
    workspace.join(target.unwrap_or_else(|| "target".into())).join("kafka")
}

/// The folder of the clusters.
fn runs() -> PathBuf {
    home().join("run")
}
