//! SIGINT and SIGTERM for the commands that write files and then end: nothing half-written stays behind.

use std::process::exit;
use std::thread;

use anyhow::Context as _;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::io::output;

/// From now on a signal removes the files that are not complete, and ends the process as a shell expects it.
pub(super) fn cleans_up() -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build().context("cannot start the runtime")?;
    let (mut interrupt, mut terminate) = {
        let _guard = runtime.enter();
        let listen = |kind| signal(kind).context("cannot listen to signals");
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        let code = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            }
        });
        output::discard_incomplete();
        exit(code);
    });
    Ok(())
}
