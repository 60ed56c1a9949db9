//! Processes known by their ids, which outlive the one that started them.

use std::io;
use std::process::Child;
use std::time::{Duration, Instant};
#[cfg(target_os = "linux")]
use std::{fs, path::PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

const PAUSE: Duration = Duration::from_millis(20);
/// Nothing that was killed takes so long to go.
const LONG: Duration = Duration::from_secs(30);

/// A process, if it is still the one: ids are used again, so its command line must name `marker`.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) marker: String,
}

/// What there is at an id.
enum Seen {
    Nothing,
    /// A process that has no command line: it begins, or it ends and may still hold its ports; or it is the kernel's.
    Nameless,
    Command(String),
}

impl Process {
    /// A child that was just started. For a moment it has no command line to be recognised by.
    pub(super) fn of(child: &mut Child, marker: &str) -> io::Result<Self> {
        let process = Self { pid: child.id(), marker: marker.to_owned() };
        while !process.is_running() && child.try_wait()?.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(process)
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(look(self.pid), Seen::Command(command) if command.contains(&self.marker))
    }

    /// Asks it to end, and makes it after `grace`. Returns when it is gone.
    pub(super) fn stop(&self, grace: Duration) -> io::Result<()> {
        if self.signal(Signal::TERM)? && !self.is_gone_within(grace) {
            return self.kill();
        }
        Ok(())
    }

    /// Ends it at once. Returns when it is gone.
    pub(super) fn kill(&self) -> io::Result<()> {
        if self.signal(Signal::KILL)? && !self.is_gone_within(LONG) {
            return Err(io::Error::other(format!("process {} does not end though it was killed", self.pid)));
        }
        Ok(())
    }

    /// False if it is not running.
    fn signal(&self, signal: Signal) -> io::Result<bool> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        match pid.filter(|_| self.is_running()).map(|pid| kill_process(pid, signal)) {
            Some(Ok(())) => Ok(true),
            None | Some(Err(Errno::SRCH)) => Ok(false),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Of a process that was running a moment ago.
    fn is_gone_within(&self, time: Duration) -> bool {
        let start = Instant::now();
        let is_there = |seen| match seen {
            Seen::Nothing => false,
            Seen::Nameless => true,
            Seen::Command(command) => command.contains(&self.marker),
        };
        while is_there(look(self.pid)) {
            if start.elapsed() > time {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }
}

#[cfg(target_os = "linux")]
fn look(pid: u32) -> Seen {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let Ok(stat) = fs::read_to_string(folder.join("stat")) else { return Seen::Nothing };
    // "1 (name, which may hold anything) S …"
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let threads = fs::read_dir(folder.join("task")).map_or(0, Iterator::count);
    // its ports are free when its last thread is gone, whether or not anybody has waited for it
    if state.starts_with(['Z', 'X']) && threads <= 1 {
        return Seen::Nothing;
    }
    match fs::read(folder.join("cmdline")) {
        Ok(command) if !command.is_empty() => Seen::Command(String::from_utf8_lossy(&command).into_owned()),
        _ => Seen::Nameless,
    }
}

#[cfg(not(target_os = "linux"))]
fn look(pid: u32) -> Seen {
    let output = std::process::Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output();
    match output {
        Ok(output) if output.status.success() => Seen::Command(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Seen::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn sleeper(script: &str) -> (Child, Process) {
        let mut child = Command::new("sh").args(["-c", script, "marker-of-a-test"]).spawn().unwrap();
        let process = Process::of(&mut child, "marker-of-a-test").unwrap();
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
