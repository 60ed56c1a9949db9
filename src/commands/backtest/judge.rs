//! Second pass: what was put aside is merged, correlated and judged.
//!
//! ```text
//! partitions read back ─► merge, processor ─► batches of cases ─► look-up ─► rules ─► files
//!               this thread                                a thread      a thread
//! ```

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context as _;
use futures::executor::block_on;

use super::super::advise;
use super::files::Files;
use super::summary::Tally;
use crate::domains::lending::Lending;
use crate::domains::lending::expected::{Answer, Question};
use crate::domains::lending::settings::LendingRules;
use crate::engine::alert::Judged;
use crate::engine::judging::{Answered, ask};
use crate::engine::lookup::Lookup;
use crate::engine::merge::BAD_MESSAGE;
use crate::engine::{Engine, Entry, Options, Output, Progress, RebuiltSource, Slot};
use crate::io::spill::{PartitionReader, Spill, SpillError};
use crate::time::{Clock, SystemClock};

/// Changes that are applied before their cases are judged: enough to ask for many agreements at once, and few enough for
/// memory that was used a moment ago.
const BATCH: usize = 2_048;
/// Records of one partition that are read back at a time, few enough for memory that was used a moment ago; and of all
/// partitions together.
const PORTION: usize = 256;
const PORTIONS: usize = 64 << 10;
/// Batches that may wait before each thread.
const WAITING: usize = 4;
/// Bytes of dead letters that are gathered before they are given on.
const LETTERS: usize = 4 << 20;

const NO_THREAD: &str = "cannot start a thread";

/// Runs the engine over everything and writes what it finds.
pub(super) fn judge<L: Lookup<Question, Answer>>(
    lending: &Arc<Lending>,
    options: Options,
    spill: Spill,
    lookup: &L,
    rules: &LendingRules,
    files: &mut Files,
    progress: &indicatif::ProgressBar,
) -> anyhow::Result<Tally> {
    std::thread::scope(|scope| {
        let (batches, unanswered) = sync_channel(WAITING);
        let (give, answered) = sync_channel(WAITING);
        let asking = named("look up").spawn_scoped(scope, move || {
            for batch in unanswered {
                let ready = block_on(look_up(batch, lending, lookup, rules))?;
                // whoever judges has stopped, and says why
                if give.send(ready).is_err() {
                    break;
                }
            }
            anyhow::Ok(())
        });
        let asking = asking.context(NO_THREAD)?;
        let judging =
            named("judge").spawn_scoped(scope, move || write_down(&answered, lending, rules, files)).context(NO_THREAD)?;
        let engine = Engine::new(Arc::clone(lending), options);
        let fed = feed(engine, spill, rules, progress, |batch| batches.send(batch).is_ok());
        drop(batches);
        let tally = judging.join().unwrap_or_else(|panic| resume_unwind(panic));
        let asked = asking.join().unwrap_or_else(|panic| resume_unwind(panic));
        let tally = tally?;
        asked?;
        fed.map(|()| tally)
    })
}

fn named(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.to_owned())
}

fn spilled(error: SpillError) -> anyhow::Error {
    let hint = error.hint();
    advise(error, hint)
}

/// Drives the engine to the end of the input. `give` says whether to go on.
fn feed(
    mut engine: Engine<Lending>,
    spill: Spill,
    rules: &LendingRules,
    progress: &indicatif::ProgressBar,
    mut give: impl FnMut(Output<Lending>) -> bool,
) -> anyhow::Result<()> {
    let mut readers: Vec<(Slot, PartitionReader)> =
        spill.into_readers().into_iter().map(|reader| (engine.assign(reader.partition()), reader)).collect();
    let portion = (PORTIONS / readers.len().max(1)).clamp(1, PORTION);
    let mut dead_letters = Vec::new();
    let mut letter_bytes = 0;
    loop {
        let advanced = engine.advance(rules, BATCH);
        if engine.pending() >= BATCH as u64 || letter_bytes >= LETTERS {
            letter_bytes = 0;
            let mut output = engine.take_output();
            output.dead_letters.append(&mut dead_letters);
            if !give(output) {
                // judging failed and says why
                return Ok(());
            }
        }
        match advanced {
            Progress::Busy => {}
            Progress::Waiting(slots) => {
                for (slot, reader) in readers.iter_mut().filter(|(slot, _)| slots.binary_search(slot).is_ok()) {
                    let mut read = 0;
                    while read < portion && letter_bytes < LETTERS {
                        let Some((offset, entry)) = reader.read().map_err(spilled)? else {
                            engine.end(*slot);
                            break;
                        };
                        let entry = match entry {
                            // Out of the engine's hands at once: behind an open commit it would keep any number of them.
                            Entry::Bad(letter) => {
                                letter_bytes += letter.size();
                                dead_letters.push(*letter);
                                Entry::Ignored(BAD_MESSAGE)
                            }
                            entry => entry,
                        };
                        engine.push(*slot, offset, entry);
                        read += 1;
                    }
                    progress.inc(read as u64);
                }
            }
            Progress::Drained => break,
            Progress::Rebuilt(rebuilt) => {
                return Err(advise(rebuilt, RebuiltSource::HINT));
            }
        }
    }
    engine.close_all(rules);
    let mut output = engine.take_output();
    output.dead_letters.append(&mut dead_letters);
    give(output);
    Ok(())
}

/// A batch whose cases can be judged.
struct Ready {
    cases: Answered<Lending>,
    /// The batch without its cases.
    rest: Output<Lending>,
}

async fn look_up<L: Lookup<Question, Answer>>(
    mut batch: Output<Lending>,
    lending: &Lending,
    lookup: &L,
    rules: &LendingRules,
) -> anyhow::Result<Ready> {
    lookup.outdated(&batch.outdated);
    let cases = std::mem::take(&mut batch.cases);
    let cases = ask(lending, cases, lookup, rules).await.map_err(|error| match error.hint.clone() {
        Some(hint) => advise(error, hint),
        None => error.into(),
    })?;
    Ok(Ready { cases, rest: batch })
}

/// Judges batches in their order and writes alerts, verdicts and dead letters.
fn write_down(batches: &Receiver<Ready>, lending: &Lending, rules: &LendingRules, files: &mut Files) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for Ready { cases, rest } in batches {
        tally.records += rest.records;
        tally.changes += rest.changes;
        tally.counts.add_all(&rest.counts);
        for letter in &rest.dead_letters {
            *tally.bad_messages.entry(letter.reason.clone()).or_default() += 1;
            tally.first_bad.get_or_insert_with(|| letter.told());
            files.dead_letter(letter)?;
        }
        let detected_at = SystemClock.now();
        for judgement in cases.judge(lending, rules) {
            for verdict in judgement.verdicts() {
                tally.verdict(verdict.rule, verdict.outcome);
            }
            files.verdicts(&judgement)?;
            files.alerts(&judgement, detected_at, |rule| *tally.alerts.entry(rule).or_default() += 1)?;
        }
    }
    Ok(tally)
}
