//! What a backtest writes: alerts, verdicts, dead letters; each asked for or not, to a file or to standard output.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::output::is_stdout;
use super::super::{Output, advise};
use crate::domains::lending::judge::Judgement;
use crate::engine::DeadLetter;
use crate::engine::alert::Judged;
use crate::io::capture::{Parts, write_line};
use crate::io::output::{OutputError, OutputFile};
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Files {
    alerts: Option<Target>,
    verdicts: Option<Target>,
    dead_letters: Option<Target>,
    line: Vec<u8>,
}

#[derive(Debug)]
enum Target {
    File(OutputFile),
    Stdout(Output),
}

/// Refuses an output that would take the place of another, or of something that is read.
pub(super) fn check_distinct<'a>(
    outputs: [Option<&'a Path>; 3],
    inputs: impl IntoIterator<Item = &'a Path>,
) -> anyhow::Result<()> {
    if outputs.into_iter().flatten().filter(|path| is_stdout(path)).count() > 1 {
        let refused = anyhow::anyhow!("several outputs would be mixed on standard output");
        return Err(advise(refused, "at most one of --alerts, --verdicts and --dead-letters can be -"));
    }
    let mut taken: Vec<PathBuf> = inputs.into_iter().filter_map(file_at).collect();
    for output in outputs.into_iter().flatten().filter(|path| !is_stdout(path)) {
        let Some(file) = file_at(output) else { continue };
        if taken.contains(&file) {
            let refused = anyhow::anyhow!("{} would be written over: it is read, or another output", output.display());
            return Err(advise(refused, "give every output a name of its own"));
        }
        taken.push(file);
    }
    Ok(())
}

/// Which file a path names, whether or not it is there yet; `None` for a pipe, a terminal and the like, which several may share.
fn file_at(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return real.is_file().then_some(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// What a dead letter's line says besides the record itself.
#[derive(Serialize)]
struct Why<'a> {
    reason: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Files {
    /// Alerts, verdicts, dead letters.
    pub(super) fn create([alerts, verdicts, dead_letters]: [Option<&Path>; 3]) -> anyhow::Result<Self> {
        let create = |path: Option<&Path>| path.map(Target::create).transpose();
        Ok(Self { alerts: create(alerts)?, verdicts: create(verdicts)?, dead_letters: create(dead_letters)?, line: Vec::new() })
    }

    /// Writes a judgement's alerts and names the rule of each.
    pub(super) fn alerts(
        &mut self,
        judgement: &Judgement,
        detected_at: Timestamp,
        mut raised: impl FnMut(&'static str),
    ) -> anyhow::Result<()> {
        self.line.clear();
        let line = &mut self.line;
        judgement.publish(detected_at, &mut |message| {
            raised(message.rule);
            line.extend_from_slice(message.body);
            line.push(b'\n');
        });
        write(&mut self.alerts, &self.line)
    }

    pub(super) fn verdicts(&mut self, judgement: &Judgement) -> anyhow::Result<()> {
        if self.verdicts.is_none() {
            return Ok(());
        }
        self.line.clear();
        judgement.write_verdicts(&mut self.line);
        self.line.push(b'\n');
        write(&mut self.verdicts, &self.line)
    }

    /// A line of a capture file, with the reason beside the record: it can be read again once what was wrong is mended.
    pub(super) fn dead_letter(&mut self, letter: &DeadLetter) -> anyhow::Result<()> {
        if self.dead_letters.is_none() {
            return Ok(());
        }
        self.line.clear();
        let record = Parts {
            topic: letter.origin.topic.name(),
            partition: letter.origin.partition,
            offset: letter.origin.offset,
            timestamp_ms: letter.timestamp_ms,
            key: letter.key.as_deref(),
            value: letter.value.as_deref(),
            headers: &letter.headers,
        };
        let why = Why { reason: &letter.reason, detail: &letter.detail, hint: letter.hint.as_deref() };
        write_line(&mut self.line, record, why)?;
        write(&mut self.dead_letters, &self.line)
    }

    /// Whether standard output is taken, so that it holds nothing else.
    pub(super) fn takes_stdout(&self) -> bool {
        [&self.alerts, &self.verdicts, &self.dead_letters].into_iter().flatten().any(|target| matches!(target, Target::Stdout(_)))
    }

    /// Gives the files their names, once all of them are written out.
    pub(super) fn commit(self) -> anyhow::Result<()> {
        let mut targets: Vec<Target> = [self.alerts, self.verdicts, self.dead_letters].into_iter().flatten().collect();
        targets.iter_mut().try_for_each(Target::flush)?;
        targets.into_iter().try_for_each(Target::commit)
    }
}

impl Target {
    fn create(path: &Path) -> anyhow::Result<Self> {
        if is_stdout(path) { Ok(Self::Stdout(Output::stdout())) } else { OutputFile::create(path).map(Self::File).map_err(told) }
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::File(file) => file.write(bytes).map_err(told),
            Self::Stdout(stdout) => Ok(stdout.write_all(bytes)?),
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Self::File(file) => file.flush().map_err(told),
            Self::Stdout(stdout) => Ok(stdout.flush()?),
        }
    }

    fn commit(self) -> anyhow::Result<()> {
        match self {
            Self::File(file) => file.commit().map_err(told),
            Self::Stdout(stdout) => stdout.finish(),
        }
    }
}

fn write(target: &mut Option<Target>, bytes: &[u8]) -> anyhow::Result<()> {
    target.as_mut().map_or(Ok(()), |target| target.write(bytes))
}

fn told(error: OutputError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    }
}
