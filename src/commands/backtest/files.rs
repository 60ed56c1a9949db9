//! What a backtest writes: alerts, verdicts, dead letters; each asked for or not.

use std::io::Write;
use std::path::Path;

use crate::domains::lending::judge::Judgement;
use crate::engine::DeadLetter;
use crate::engine::alert::Judged;
use crate::time::Timestamp;

type File = std::io::BufWriter<std::fs::File>;

#[derive(Debug)]
pub(super) struct Files {
    alerts: Option<File>,
    verdicts: Option<File>,
    dead_letters: Option<File>,
    line: Vec<u8>,
}

impl Files {
    pub(super) fn create(alerts: Option<&Path>, verdicts: Option<&Path>, dead_letters: Option<&Path>) -> anyhow::Result<Self> {
        let create = |path: Option<&Path>| path.map(|path| std::fs::File::create(path).map(std::io::BufWriter::new)).transpose();
        Ok(Self { alerts: create(alerts)?, verdicts: create(verdicts)?, dead_letters: create(dead_letters)?, line: Vec::new() })
    }

    pub(super) fn alerts(
        &mut self,
        judgement: &Judgement,
        detected_at: Timestamp,
        mut count: impl FnMut(&'static str),
    ) -> anyhow::Result<()> {
        let mut written = Ok(());
        let alerts = &mut self.alerts;
        judgement.publish(detected_at, &mut |message| {
            count(message.rule);
            if let (Some(file), Ok(())) = (alerts.as_mut(), &written) {
                written = file.write_all(message.body).and_then(|()| file.write_all(b"\n"));
            }
        });
        Ok(written?)
    }

    pub(super) fn verdicts(&mut self, judgement: &Judgement) -> anyhow::Result<()> {
        if let Some(file) = &mut self.verdicts {
            self.line.clear();
            judgement.write_verdicts(&mut self.line);
            self.line.push(b'\n');
            file.write_all(&self.line)?;
        }
        Ok(())
    }

    pub(super) fn dead_letter(&mut self, letter: &DeadLetter) -> anyhow::Result<()> {
        if let Some(file) = &mut self.dead_letters {
            serde_json::to_writer(&mut *file, letter)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(super) fn commit(mut self) -> anyhow::Result<()> {
        for file in [&mut self.alerts, &mut self.verdicts, &mut self.dead_letters].into_iter().flatten() {
            file.flush()?;
        }
        Ok(())
    }
}
