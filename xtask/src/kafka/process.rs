//! Processes known by their ids, which outlive the one that started them.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PAUSE: Duration = Duration::from_millis(20);

/// A process, if it is still the one: ids are used again, so its command line must name `marker`.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) marker: String,
}

impl Process {
    pub(super) fn is_running(&self) -> bool {
        command_line(self.pid).is_some_and(|command| command.contains(&self.marker))
    }

    /// Asks it to end, and makes it after `grace`. Returns when it is gone.
    pub(super) fn stop(&self, grace: Duration) -> io::Result<()> {
        self.signal(Signal::TERM)?;
        if self.ends_within(grace) {
            return Ok(());
        }
        self.kill()
    }

    /// Ends it at once. Returns when it is gone.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)?;
        if self.ends_within(Duration::from_secs(30)) {
            return Ok(());
        }
        Err(io::Error::other(format!("process {} does not end though it was killed", self.pid)))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        match pid.filter(|_| self.is_running()).map(|pid| kill_process(pid, signal)) {
            // gone, or gone just now
            None | Some(Ok(()) | Err(rustix::io::Errno::SRCH)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    fn ends_within(&self, time: Duration) -> bool {
        let start = Instant::now();
        while self.is_running() {
            if start.elapsed() > time {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }
}

/// Empty for one that has ended and was not waited for.
#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(not(target_os = "linux"))]
fn command_line(pid: u32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn sleeper(script: &str) -> (Child, Process) {
        let child = Command::new("sh").args(["-c", script, "marker-of-a-test"]).spawn().unwrap();
        let process = Process { pid: child.id(), marker: "marker-of-a-test".to_owned() };
        (child, process)
    }

    #[test]
    fn a_process_is_told_from_another_that_got_its_id() {
        let (mut child, process) = sleeper("while :; do sleep 0.05; done");
        assert!(process.is_running());
        let other = Process { marker: "somebody-else".to_owned(), ..process.clone() };
        assert!(!other.is_running());
        other.kill().unwrap();
        assert!(process.is_running(), "it was not touched");
        process.kill().unwrap();
        assert!(!process.is_running());
        child.wait().unwrap();
        process.stop(Duration::ZERO).unwrap();
    }

    #[test]
    fn one_that_does_not_want_to_end_is_killed_after_its_grace() {
        let (mut child, process) = sleeper("trap '' TERM; while :; do sleep 0.05; done");
        process.stop(Duration::from_millis(100)).unwrap();
        assert!(!process.is_running());
        child.wait().unwrap();
    }
}
