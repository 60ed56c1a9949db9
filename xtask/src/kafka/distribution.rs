//! The broker's jars: fetched by Maven, once, and what arrived is what was chosen.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use sha2::{Digest, Sha256};

use super::home;
use super::java::Java;
use crate::hint::advise;

/// The newest Apache Kafka that was complete on Maven Central when this was written, and runs on Java 17.
pub const VERSION: &str = "4.3.1";

const POM: &str = include_str!("../../kafka/pom.xml");
const LOGGING: &str = include_str!("../../kafka/log4j2.properties");
/// As `sha256sum *.jar` prints it.
const JARS: &str = include_str!("../../kafka/jars.sha256");

const MAVEN_HINT: &str = "install Maven (Debian, Ubuntu: apt-get install maven)";
const NETWORK_HINT: &str =
    "Maven must reach https://repo.maven.apache.org, or a mirror of it that ~/.m2/settings.xml names; it is needed once";

/// Everything that a broker is made of.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    pub(super) java: Java,
    pub(super) logging: PathBuf,
    pub(super) classes: Classes,
    lib: PathBuf,
}

/// The classes that a broker loads, as the JVM found them when it last did: loading them from such an archive halves the
/// time of a start.
#[derive(Clone, Debug)]
pub(super) enum Classes {
    /// There is none yet.
    Load,
    /// Writes it when the broker ends well.
    Record(PathBuf),
    Use(PathBuf),
}

/// Why no broker can be run here.
#[derive(Debug)]
pub struct Missing(anyhow::Error);

impl Missing {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        crate::hint(&self.0)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

/// What a broker needs and this machine does not have. The network is not tried.
#[must_use]
pub fn missing() -> Option<Missing> {
    let folder = folder();
    let maven = || if is_complete(&folder.join("lib")) { Ok(()) } else { find_maven() };
    Java::find().and_then(|_| maven()).err().map(Missing)
}

impl Distribution {
    /// Finds Java, and fetches the jars unless they are here.
    pub(super) fn obtain() -> anyhow::Result<Self> {
        let java = Java::find()?;
        let folder = folder();
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        // several processes may want it at once
        let lock = folder.join("lock");
        let lock = File::create(&lock).and_then(|file| file.lock().map(|()| file)).with_context(|| lock.display().to_string())?;
        let lib = folder.join("lib");
        if !is_complete(&lib) {
            fetch(&folder, &lib)?;
        }
        let logging = folder.join("log4j2.properties");
        fs::write(&logging, LOGGING).with_context(|| logging.display().to_string())?;
        drop(lock);
        let classes = if recorded(&java).is_file() { Classes::Use(recorded(&java)) } else { Classes::Load };
        Ok(Self { java, logging, classes, lib })
    }

    /// The same, for a broker that shall record its classes.
    pub(super) fn recording(&self) -> Self {
        Self { classes: Classes::Record(folder().join(format!("recording-{}.jsa", std::process::id()))), ..self.clone() }
    }

    /// Uses what a broker has recorded. A Java that does not know how to is done without.
    pub(super) fn use_recorded(&mut self, recording: &Self) {
        let archive = recorded(&self.java);
        if let Classes::Record(recording) = &recording.classes {
            match fs::rename(recording, &archive) {
                Ok(()) => self.classes = Classes::Use(archive),
                Err(error) => {
                    eprintln!("java has recorded no classes, so brokers start slowly: {}: {error}", recording.display());
                }
            }
        }
    }

    /// In an order of its own, not of the folder's.
    pub(super) fn class_path(&self) -> String {
        let jars = chosen();
        let paths: Vec<String> = jars.keys().map(|jar| self.lib.join(jar).display().to_string()).collect();
        paths.join(":")
    }
}

fn folder() -> PathBuf {
    home().join(VERSION)
}

/// An archive is of use to the Java that made it.
fn recorded(java: &Java) -> PathBuf {
    folder().join(format!("classes-{}.jsa", java.version))
}

/// Name and SHA-256 of every jar.
fn chosen() -> BTreeMap<&'static str, &'static str> {
    JARS.lines().filter_map(|line| line.split_once("  ")).map(|(hash, jar)| (jar, hash)).collect()
}

/// Whether the jars are here. They come here only after their bytes were compared, so their names are enough.
fn is_complete(lib: &Path) -> bool {
    names(lib).is_ok_and(|names| names.iter().eq(chosen().keys()))
}

fn names(lib: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(lib)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn fetch(folder: &Path, lib: &Path) -> anyhow::Result<()> {
    find_maven()?;
    eprintln!("fetching Apache Kafka {VERSION} with Maven (45 MB, once)");
    let arriving = folder.join("arriving");
    for stale in [&arriving, lib] {
        remove(stale)?;
    }
    let pom = folder.join("pom.xml");
    fs::write(&pom, POM).with_context(|| pom.display().to_string())?;
    let output = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "--no-transfer-progress", "--strict-checksums", "-Dstyle.color=never", "--file"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", arriving.display()))
        .output()
        .context("cannot run mvn")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let why = told.lines().find(|line| line.contains("[ERROR]")).unwrap_or(&told).trim();
        bail!(advise(format!("Maven cannot fetch Apache Kafka {VERSION}: {why}"), NETWORK_HINT));
    }
    compare(&arriving)?;
    fs::rename(&arriving, lib).with_context(|| format!("cannot rename {} to {}", arriving.display(), lib.display()))
}

fn find_maven() -> anyhow::Result<()> {
    match Command::new("mvn").arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            Err(advise(format!("mvn --version failed: {}", told.trim()), MAVEN_HINT))
        }
        Err(error) => Err(advise(format!("cannot run mvn: {error}"), MAVEN_HINT)),
    }
}

/// Compares what arrived with what was chosen, to the byte.
fn compare(arrived: &Path) -> anyhow::Result<()> {
    let mut differences = Vec::new();
    let mut found = BTreeMap::new();
    for name in names(arrived).with_context(|| arrived.display().to_string())? {
        let path = arrived.join(&name);
        found.insert(name, sha256(&fs::read(&path).with_context(|| path.display().to_string())?));
    }
    let chosen = chosen();
    for (jar, hash) in &chosen {
        match found.get(*jar) {
            Some(arrived) if arrived == hash => {}
            Some(_) => differences.push(format!("{jar} has other bytes")),
            None => differences.push(format!("{jar} is missing")),
        }
    }
    differences.extend(found.keys().filter(|jar| !chosen.contains_key(jar.as_str())).map(|jar| format!("{jar} is not listed")));
    if differences.is_empty() {
        return Ok(());
    }
    let message =
        format!("the jars of Apache Kafka {VERSION} are not those of xtask/kafka/jars.sha256: {}", differences.join(", "));
    let hint = format!(
        "if the version was changed on purpose: (cd {} && LC_ALL=C sha256sum *.jar) > xtask/kafka/jars.sha256",
        arrived.display()
    );
    Err(advise(message, hint))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}

/// Removes a folder that may not be there.
pub(super) fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_jars_and_the_pom_are_of_this_version() {
        assert!(POM.contains(&format!("<version>{VERSION}</version>")));
        let jars = chosen();
        assert_eq!(jars.len(), JARS.lines().count(), "every line is read");
        assert!(jars.contains_key(format!("kafka_2.13-{VERSION}.jar").as_str()));
        for (jar, hash) in jars {
            let kafkas = jar.starts_with("kafka");
            assert!(!kafkas || jar.ends_with(&format!("-{VERSION}.jar")), "{jar}");
            assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{jar}");
        }
    }

    #[test]
    fn what_is_missing_changed_or_new_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kafka-clients-4.3.1.jar"), "other bytes").unwrap();
        fs::write(folder.path().join("stowaway-1.0.jar"), "").unwrap();
        let error = compare(folder.path()).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("kafka-clients-4.3.1.jar has other bytes"), "{told}");
        assert!(told.contains("kafka_2.13-4.3.1.jar is missing"), "{told}");
        assert!(told.contains("stowaway-1.0.jar is not listed"), "{told}");
        assert!(crate::hint(&error).unwrap().contains("sha256sum"));
        assert!(!is_complete(folder.path()));
    }

    #[test]
    fn bytes_are_hashed_as_sha256sum_does() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
