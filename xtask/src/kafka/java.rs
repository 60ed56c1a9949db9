//! Java: where it is, and whether it is new enough.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::hint::advise;

/// The least version that Kafka 4's brokers run on.
const LEAST: u32 = 17;
const HINT: &str = "install Java 17 or later (Debian, Ubuntu: apt-get install openjdk-17-jre-headless), or set JAVA_HOME";

#[derive(Clone, Debug)]
pub(super) struct Java {
    pub(super) command: PathBuf,
    /// As it calls itself, such as `17.0.15`.
    pub(super) version: String,
}

impl Java {
    /// The one of `JAVA_HOME`, else the one on the path.
    pub(super) fn find() -> anyhow::Result<Self> {
        let command = match std::env::var_os("JAVA_HOME") {
            Some(home) if !home.is_empty() => PathBuf::from(home).join("bin/java"),
            _ => PathBuf::from("java"),
        };
        let name = command.display();
        let output = match Command::new(&command).arg("-version").output() {
            Ok(output) => output,
            Err(error) => return Err(advise(format!("cannot run {name}: {error}"), HINT)),
        };
        let told = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!(advise(format!("{name} -version failed: {}", told.trim()), HINT));
        }
        let version = version(&told).with_context(|| format!("{name} -version tells no version: {}", told.trim()))?.to_owned();
        match major(&version) {
            Some(major) if major >= LEAST => Ok(Self { command, version }),
            _ => Err(advise(format!("{name} is Java {version}, and Kafka needs {LEAST} or later"), HINT)),
        }
    }
}

/// `openjdk version "17.0.15" 2025-04-15`, among other lines.
fn version(told: &str) -> Option<&str> {
    told.lines().find_map(|line| line.split_once(" version \"")?.1.split_once('"')).map(|(version, _)| version)
}

/// 17 of `17.0.15`, 24 of `24-ea`, 8 of `1.8.0_402`.
fn major(version: &str) -> Option<u32> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_what_java_says() {
        let told = "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment\n";
        assert_eq!(version(told), Some("17.0.15"));
        assert_eq!(version("java version \"1.8.0_402\"\n"), Some("1.8.0_402"));
        assert_eq!(version("command not found"), None);
    }

    #[test]
    fn the_major_version_is_told_apart_in_every_scheme() {
        assert_eq!(
            ["16.0.2", "17", "17.0.15", "24-ea", "1.8.0_402", "", "x"].map(major),
            [Some(16), Some(17), Some(17), Some(24), Some(8), None, None]
        );
    }
}
