//! Records of dbo.Transaction and dbo.Agreement, decoded: what a message means by its topic, its operation and its images.

use super::event::{
    AgreementDelete, AgreementInsert, AgreementUpdate, ChangeKind, LendingChange, Position, TransactionInsert, is_money,
};
use super::rows::{self, AgreementForms, AgreementRow, AgreementTable, TransactionForms, TransactionRow, TransactionTable};
use crate::event::bad::BadMessage;
use crate::event::envelope::{Envelope, Op};
use crate::event::formats::{Formats, KeyCase};
use crate::event::identity::Parts;
use crate::event::object::Columns;
use crate::event::schema::Seen;
use crate::event::table::{ImageForms, Images, Opened, TableReader};
use crate::event::{ChangeEvent, Decoded, Record, Topic};

/// The header of both records of an update that changes the primary key.
const KEY_CHANGE: &str = "__debezium.oldkey";

/// Decodes lending's records. One serves any number of threads.
#[derive(Debug)]
pub struct Decoder {
    database: Option<String>,
    key_case: KeyCase,
    routes: Seen<Topic, Route>,
    transactions: TableReader<TransactionTable>,
    agreements: TableReader<AgreementTable>,
}

/// What a topic's name decides.
#[derive(Clone, Copy, Debug)]
enum Route {
    Transaction,
    Agreement,
    Ignored(&'static str),
}

impl Decoder {
    #[must_use]
    pub fn new(formats: &Formats) -> Self {
        Self {
            database: formats.database.clone(),
            key_case: formats.key_case,
            routes: Seen::default(),
            transactions: TableReader::new(formats),
            agreements: TableReader::new(formats),
        }
    }

    pub(super) fn key_case(&self) -> KeyCase {
        self.key_case
    }

    /// Recognises, in this order: a message on another topic, a tombstone, a bad message, one of no consequence, a change.
    #[must_use]
    pub fn decode(&self, record: &Record<'_>) -> Decoded<LendingChange> {
        let case = self.key_case;
        let opened = match self.route(record.origin.topic) {
            Route::Ignored(label) => return Decoded::Ignored(label),
            Route::Transaction => self.transactions.open(record, |envelope, forms, images| {
                change(record, envelope, &images, |op| transaction(record, op, envelope, forms, case))
            }),
            Route::Agreement => self.agreements.open(record, |envelope, forms, images| {
                change(record, envelope, &images, |op| agreement(record, op, envelope, forms, case))
            }),
        };
        match opened {
            Opened::Read(decoded) => decoded,
            Opened::Ignored(label) => Decoded::Ignored(label),
            Opened::Bad(bad) => Decoded::Bad(bad),
            Opened::Unavailable(error) => Decoded::Unavailable(error),
        }
    }

    /// The same for a record whose value is still the inside of a JSON string, as a line of a capture has it; the record
    /// itself has none. `None` if that is not as usual: then [`Decoder::decode`] tells, from the value as it is meant.
    #[must_use]
    pub fn decode_quoted(&self, record: &Record<'_>, value: &str) -> Option<Decoded<LendingChange>> {
        let case = self.key_case;
        match self.route(record.origin.topic) {
            // nothing of it would be looked at, and it must be a string
            Route::Ignored(_) => None,
            Route::Transaction => self.transactions.open_quoted(record, value, |envelope, forms, images| {
                change(record, envelope, &images, |op| transaction(record, op, envelope, forms, case))
            }),
            Route::Agreement => self.agreements.open_quoted(record, value, |envelope, forms, images| {
                change(record, envelope, &images, |op| agreement(record, op, envelope, forms, case))
            }),
        }
    }

    fn route(&self, topic: Topic) -> Route {
        if let Some(((), route)) = self.routes.find(|known| (*known == topic).then_some(())) {
            return route;
        }
        let route = route(topic.name(), self.database.as_deref());
        self.routes.remember(topic, route);
        route
    }
}

/// By the table, which is the topic's last part, and the database, which is the third from the right. A topic of three
/// parts comes from a connector before 2.0 and names no database.
fn route(topic: &str, wanted: Option<&str>) -> Route {
    let mut parts = topic.rsplit('.');
    let route = match parts.next() {
        Some("Transaction") => Route::Transaction,
        Some("Agreement") => Route::Agreement,
        _ => return Route::Ignored("other_topic"),
    };
    let database = parts.nth(1).filter(|_| parts.next().is_some());
    match (wanted, database) {
        (Some(wanted), Some(database)) if wanted != database => Route::Ignored("other_database"),
        _ => route,
    }
}

/// `None` for what is ignored. An update or delete is read for its counter only, a snapshot's row not at all.
fn transaction<'a>(
    record: &Record<'_>,
    op: Op,
    envelope: &Envelope<'a, TransactionRow<'a>>,
    forms: &ImageForms<TransactionForms>,
    case: KeyCase,
) -> Result<Option<ChangeKind>, BadMessage> {
    Ok(Some(match op {
        Op::Create => {
            let after = rows::transaction(&envelope.after, "after", &forms.after, case)?;
            ChangeKind::TransactionInsert(TransactionInsert { key_changed: record.has_header(KEY_CHANGE), ..after })
        }
        Op::Update => ChangeKind::TransactionUpdate { counter: rows::counter(&envelope.after, "after")? },
        Op::Delete => ChangeKind::TransactionDelete { counter: rows::counter(&envelope.before, "before")? },
        Op::Read | Op::Truncate | Op::Message => return Ok(None),
    }))
}

/// `None` for what is ignored. Every image that is there is read whole: what the engine keeps of a row must be well-formed,
/// whether or not this operation asks for it.
fn agreement<'a>(
    record: &Record<'_>,
    op: Op,
    envelope: &Envelope<'a, AgreementRow<'a>>,
    forms: &ImageForms<AgreementForms>,
    case: KeyCase,
) -> Result<Option<ChangeKind>, BadMessage> {
    if matches!(op, Op::Truncate | Op::Message) {
        return Ok(None);
    }
    let before = rows::agreement(&envelope.before, "before", &forms.before, case)?;
    let after = rows::agreement(&envelope.after, "after", &forms.after, case)?;
    let before = || before.ok_or_else(|| BadMessage::missing_part("before"));
    let after = || after.ok_or_else(|| BadMessage::missing_part("after"));
    Ok(Some(match op {
        Op::Create => {
            let key_changed = record.has_header(KEY_CHANGE);
            ChangeKind::AgreementInsert(AgreementInsert { after: after()?.keep(), key_changed })
        }
        Op::Update => {
            let (before, after) = (before()?, after()?);
            if is_money([before.balance, after.balance], [before.settled, after.settled]) {
                ChangeKind::AgreementUpdate(AgreementUpdate {
                    balance_before: before.balance,
                    settled_before: before.settled,
                    after: after.keep(),
                    from_insert: false,
                })
            } else {
                ChangeKind::AgreementEdit { number: after.number }
            }
        }
        Op::Delete => {
            let before = before()?;
            ChangeKind::AgreementDelete(AgreementDelete {
                number: before.number,
                customer_number: before.customer_number.map(Into::into),
                balance_before: before.balance,
                settled_before: before.settled,
            })
        }
        // its images were looked at above, those that are there
        Op::Read | Op::Truncate | Op::Message => return Ok(None),
    }))
}

/// Positions and times what `kind` makes of an envelope.
fn change<'a, R: Columns<'a>>(
    record: &Record<'_>,
    envelope: &Envelope<'a, R>,
    images: &Images<'_>,
    kind: impl FnOnce(Op) -> Result<Option<ChangeKind>, BadMessage>,
) -> Result<Decoded<LendingChange>, BadMessage> {
    let op = envelope.op()?;
    let source = envelope.position()?;
    let Some(kind) = kind(op)? else {
        return Ok(Decoded::Ignored(match op {
            Op::Truncate => "truncate",
            Op::Message => "message",
            _ => "snapshot",
        }));
    };
    let (commit, event_time) = envelope.commit_and_time(&source)?;
    let mut counter = [0; 8];
    let parts = Parts {
        change_lsn: source.change_lsn,
        event_serial_no: source.event_serial_no,
        op: op.code(),
        key: Some(row_key(&kind, &mut counter)),
        images: None,
    };
    let identity = match (source.change_lsn, source.event_serial_no) {
        (None, None) => images.with_bytes(|images| Parts { images: Some(images), ..parts }.identity()),
        _ => parts.identity(),
    };
    let position = Position { change_lsn: source.change_lsn, event_serial_no: source.event_serial_no };
    let body = LendingChange { position, kind };
    Ok(Decoded::Change(ChangeEvent { commit, event_time, identity, origin: record.origin, body }))
}

/// The row's primary key. It stands for the record's key, whose bytes hang on how the connector is set up and which may be
/// missing: two rows of one agreement must not be taken for one because the topic is keyed by agreement.
fn row_key<'a>(kind: &'a ChangeKind, counter_bytes: &'a mut [u8; 8]) -> &'a [u8] {
    match kind {
        ChangeKind::TransactionInsert(TransactionInsert { counter, .. })
        | ChangeKind::TransactionUpdate { counter }
        | ChangeKind::TransactionDelete { counter }
        | ChangeKind::Correction { counter } => {
            *counter_bytes = counter.to_be_bytes();
            counter_bytes
        }
        ChangeKind::AgreementInsert(insert) => insert.after.number.as_bytes(),
        ChangeKind::AgreementUpdate(update) => update.after.number.as_bytes(),
        ChangeKind::AgreementDelete(delete) => delete.number.as_bytes(),
        ChangeKind::AgreementEdit { number } | ChangeKind::Rename { number } => number.as_bytes(),
    }
}
