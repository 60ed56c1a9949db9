//! `tidewaiter dead-letters replay`: the alerts that were missed, each once.
//!
//! ```text
//!  claim ─► letters that can be read now ─┐
//!           input topics ─────────────────┴─► judged without the letters ─► alerts ─┐
//!                                         └─► judged with them in place ──► alerts ─┴─ what is new ─► one transaction
//! ```
//!
//! A message is not produced anew: its commit lies below the highest of its partition, so the engine would rightly take it
//! for a re-delivery. And its alerts cannot be told from the message alone: what it belongs to lies around it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;

use super::{read, told};
use crate::cli::ReplayLetters;
use crate::commands::book::Book;
use crate::commands::run::Prepared;
use crate::commands::{Output, advise, backtest, registry};
use crate::domains::lending::Lending;
use crate::domains::lending::decode::Decoder;
use crate::domains::lending::event::LendingChange;
use crate::domains::lending::expected::{Answer, Question};
use crate::engine::lookup::{Lookup, LookupError};
use crate::engine::ports::OwnedRecord;
use crate::engine::{DeadLetter, Domain, Entry, Options, Partition};
use crate::event::{BadMessage, Decoded, Origin};
use crate::io::kafka::Probe;
use crate::io::kafka::letters::{Claim, Letter, MissedAlert, settle};
use crate::io::spill::{Blocks, Labels, Spill};
use crate::time::{Clock, SystemClock};

/// Bytes of encoded changes that stay in memory, of each pass.
const MEMORY: usize = 32 << 20;
/// Records that are put aside at a time.
const CHUNK: u64 = 10_000;

pub(super) fn run(args: &ReplayLetters) -> anyhow::Result<ExitCode> {
    let prepared = Prepared::load(&args.config)?;
    let (connection, config) = (&prepared.connection, &prepared.config);
    // taken first: from here on nobody else changes what is read
    let claim = if args.dry_run { None } else { Some(Claim::take(connection).map_err(told)?) };
    for topic in [&config.dead_letters_topic, &config.alerts_topic] {
        settle(connection, topic).map_err(told)?;
    }
    let mut letters = read(connection, &config.dead_letters_topic)?;
    let found = letters.letters.len();
    letters.letters.retain(|place, _| !letters.replayed.contains(place));
    let mut output = Output::stdout();
    writeln!(output, "{found} dead letters, {} of them not replayed yet", letters.letters.len())?;

    let lending = Arc::new(lending(&prepared)?);
    let mut mended = Vec::new();
    for letter in letters.letters.values() {
        match objection(&prepared, &lending, letter)? {
            None => mended.push(letter),
            Some(why) => writeln!(output, "{}: stays: {why}", letter.record.origin)?,
        }
    }
    if mended.is_empty() {
        writeln!(output, "nothing to replay")?;
        output.finish()?;
        return Ok(ExitCode::SUCCESS);
    }
    let missed = missed(&prepared, &lending, &mended)?;
    for Alert { head, .. } in &missed {
        let Head { rule, alert_id, trigger, .. } = head;
        let Trigger { topic, partition, offset } = trigger;
        writeln!(output, "{topic}/{partition}/{offset}: {rule} {alert_id}")?;
    }
    let (letters, count) = (mended.len(), missed.len());
    match claim {
        Some(claim) => {
            let alerts: Vec<_> =
                missed.into_iter().map(|alert| MissedAlert { key: alert.head.agreement_number, body: alert.line }).collect();
            claim.commit(&config.alerts_topic, &alerts, &mended).map_err(told)?;
            writeln!(output, "{letters} dead letters replayed, {count} missed alerts written to {}", config.alerts_topic)?;
        }
        None => writeln!(output, "{letters} dead letters would be replayed, and {count} missed alerts written")?,
    }
    output.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// As the daemon's, but that it waits for schemas.
fn lending(prepared: &Prepared) -> anyhow::Result<Lending> {
    let source = &prepared.config.source;
    let mut formats = source.formats.clone();
    formats.registry = source.registry.as_ref().map(registry::of_command).transpose()?;
    Ok(Lending::new(Decoder::new(&formats)))
}

/// Why a letter cannot be put back, if it cannot.
fn objection(prepared: &Prepared, lending: &Lending, letter: &Letter) -> anyhow::Result<Option<String>> {
    let topic = letter.record.origin.topic.name();
    if !prepared.config.source.topics.iter().any(|known| known == topic) {
        return Ok(Some("its topic is not among those that the configuration reads".to_owned()));
    }
    if let Entry::Bad(bad) = entry(lending, &letter.record)? {
        return Ok(Some(format!("{}: {}", bad.reason, bad.detail)));
    }
    // what belongs to it may be on its way, and the daemon's own windows would still be open
    let rules = Arc::clone(&prepared.rules.borrow());
    let waits = rules.window.max_wait_ms.saturating_add(rules.window.max_silence_ms);
    let age = letter.record.timestamp_ms.map(|at| SystemClock.now().as_ms().saturating_sub(at));
    Ok(age.is_some_and(|age| age < waits).then(|| format!("too recent, wait {} s", waits / 1000)))
}

/// As the engine takes it; waits for the schema registry.
fn entry(lending: &Lending, record: &OwnedRecord) -> anyhow::Result<Entry<LendingChange>> {
    Ok(match record.with(|record| lending.decode(record)) {
        Decoded::Change(change) => Entry::Change(change),
        Decoded::Ignored(label) => Entry::Ignored(label),
        Decoded::Bad(bad) => Entry::Bad(Box::new(record.with(|record| DeadLetter::new(record, &bad)))),
        Decoded::Unavailable(error) => {
            return Err(match error.hint() {
                Some(hint) => advise(error, hint),
                None => error.into(),
            });
        }
    })
}

/// What is read of an alert.
#[derive(Debug, Deserialize)]
struct Head {
    alert_id: String,
    rule: String,
    agreement_number: String,
    trigger: Trigger,
}

#[derive(Debug, Deserialize)]
struct Trigger {
    topic: String,
    partition: i32,
    offset: i64,
}

struct Alert {
    head: Head,
    line: String,
}

/// The daemon's loan book for passes that have no runtime of their own; a server's needs one.
struct Driven<'b> {
    book: &'b Book,
    runtime: tokio::runtime::Runtime,
}

impl<'b> Driven<'b> {
    fn new(book: &'b Book) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { book, runtime: runtime.context("cannot start the runtime")? })
    }
}

impl Lookup<Question, Answer> for Driven<'_> {
    async fn lookup(&self, questions: &[Question]) -> Result<Vec<Answer>, LookupError> {
        self.runtime.block_on(self.book.lookup(questions))
    }
}

/// The alerts that there are with the letters, not without them, and not on the alerts topic, in the order in which they were
/// judged.
fn missed(prepared: &Prepared, lending: &Arc<Lending>, mended: &[&Letter]) -> anyhow::Result<Vec<Alert>> {
    let (without, with) = both(prepared, lending, mended)?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let book = Driven::new(&prepared.book)?;
    let rules = Arc::clone(&prepared.rules.borrow());
    let options = Options { accept_rebuilt_source: prepared.config.source.accept_rebuilt_source };
    let judge = |spill, name: &str| {
        let path = folder.path().join(name);
        backtest::alerts_of(lending, options, spill, &book, &rules, &path)?;
        anyhow::Ok(path)
    };
    let (without, with) = (judge(without, "without.jsonl")?, judge(with, "with.jsonl")?);
    let mut known = BTreeSet::new();
    each(&without, |alert| known.extend([alert.head.alert_id]))?;
    let mut missed = Vec::new();
    each(&with, |alert| {
        if !known.contains(&alert.head.alert_id) {
            missed.push(alert);
        }
    })?;
    if !missed.is_empty() {
        let probe = Probe::new(&prepared.connection).map_err(told)?;
        let mut written = BTreeSet::new();
        let ids: BTreeSet<String> = missed.iter().map(|alert| alert.head.alert_id.clone()).collect();
        let take = |record: OwnedRecord| {
            // what others may have written there is no alert of ours
            let head = record.value.as_deref().and_then(|value| serde_json::from_slice::<Head>(value).ok());
            written.extend(head.map(|head| head.alert_id).filter(|id| ids.contains(id)));
        };
        probe.read(&prepared.config.alerts_topic, None, take).map_err(told)?;
        missed.retain(|alert| !written.contains(&alert.head.alert_id));
    }
    Ok(missed)
}

fn each(path: &Path, mut take: impl FnMut(Alert)) -> anyhow::Result<()> {
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        take(Alert { head: serde_json::from_str(&line)?, line });
    }
    Ok(())
}

/// Both inputs, put aside: without the letters, which are bad messages there, and with them.
fn both(prepared: &Prepared, lending: &Lending, mended: &[&Letter]) -> anyhow::Result<(Spill, Spill)> {
    let labels = Arc::new(Labels::default());
    let side = || Side { spill: Spill::new(Arc::clone(&labels), MEMORY, &std::env::temp_dir()), blocks: Blocks::default() };
    let mut aside = Aside { labels: Arc::clone(&labels), without: side(), with: side(), waiting: 0 };
    let places: BTreeSet<(Partition, i64)> =
        mended.iter().map(|letter| (Partition::from(letter.record.origin), letter.record.origin.offset)).collect();
    // a reader brings runs of a partition into the order of its offsets
    for letter in mended {
        let bad = BadMessage { reason: "replayed", detail: String::new(), hint: None };
        let bad = Entry::Bad(Box::new(letter.record.with(|record| DeadLetter::new(record, &bad))));
        aside.push(letter.record.origin, &bad, &entry(lending, &letter.record)?)?;
    }
    let probe = Probe::new(&prepared.connection).map_err(told)?;
    for topic in &prepared.config.source.topics {
        let mut failed = None;
        let take = |record: OwnedRecord| {
            let place = (Partition::from(record.origin), record.origin.offset);
            if failed.is_none() && !places.contains(&place) {
                let put = entry(lending, &record).and_then(|entry| aside.push(record.origin, &entry, &entry));
                failed = put.err();
            }
        };
        probe.read(topic, None, take).map_err(told)?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    aside.put()?;
    Ok((aside.without.spill, aside.with.spill))
}

struct Aside {
    labels: Arc<Labels>,
    without: Side,
    with: Side,
    /// Records in blocks.
    waiting: u64,
}

struct Side {
    spill: Spill,
    blocks: Blocks,
}

impl Aside {
    fn push<C: serde::Serialize>(&mut self, origin: Origin, without: &Entry<C>, with: &Entry<C>) -> anyhow::Result<()> {
        for (side, entry) in [(&mut self.without, without), (&mut self.with, with)] {
            side.blocks.push(origin, entry, &self.labels)?;
        }
        self.waiting += 1;
        if self.waiting >= CHUNK { self.put() } else { Ok(()) }
    }

    fn put(&mut self) -> anyhow::Result<()> {
        self.waiting = 0;
        for side in [&mut self.without, &mut self.with] {
            side.spill.add(&mut side.blocks)?;
        }
        Ok(())
    }
}
