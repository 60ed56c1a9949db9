//! What a server says besides rows: PRINT, and errors as they come.
//!
//! The driver gives out neither: of a batch's errors only the first, when all is read, and of the messages none. But it traces
//! both, so a subscriber of ours listens while a batch is read. Which of its events stand for messages, and which for changes of
//! the connection's state, nothing in them says; so a first PRINT of a text that is known shows where messages come from.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Listens to the driver wherever the dispatch is the current one.
#[derive(Clone)]
pub(super) struct Listener {
    heard: Arc<Heard>,
    pub(super) dispatch: Dispatch,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Info(String),
    Error { number: u32, text: String },
}

#[derive(Default)]
struct Heard(Mutex<State>);

#[derive(Default)]
struct State {
    /// Where the driver traces messages, once that is known.
    place: Option<Identifier>,
    messages: Vec<(Identifier, Message)>,
}

impl Listener {
    pub(super) fn new() -> Self {
        let heard = Arc::<Heard>::default();
        Self { dispatch: Dispatch::new(Ear(Arc::clone(&heard))), heard }
    }

    /// Learns from a text that the server was just made to say where messages come from; false if it was not heard.
    pub(super) fn learn(&self, text: &str) -> bool {
        let mut state = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = std::mem::take(&mut state.messages);
        let said = |message: &Message| matches!(message, Message::Info(said) if said == text);
        state.place = messages.into_iter().find(|(_, message)| said(message)).map(|(place, _)| place);
        state.place.is_some()
    }

    /// What came since it was last asked.
    pub(super) fn take(&self) -> Vec<Message> {
        let mut state = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = std::mem::take(&mut state.messages);
        let is_message = |(place, message): &(Identifier, Message)| {
            matches!(message, Message::Error { .. }) || state.place.as_ref() == Some(place)
        };
        messages.into_iter().filter(is_message).map(|(_, message)| message).collect()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

struct Ear(Arc<Heard>);

impl Subscriber for Ear {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // what is finer than DEBUG are the rows themselves
        metadata.is_event() && metadata.target().starts_with("tiberius") && *metadata.level() <= Level::DEBUG
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let Some(text) = words.text else { return };
        let message = match (*event.metadata().level(), words.number) {
            (Level::ERROR, Some(number)) => Message::Error { number, text },
            _ => Message::Info(text),
        };
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.messages.push((event.metadata().callsite(), message));
    }

    // spans are not listened to

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Words {
    text: Option<String>,
    number: Option<u32>,
}

impl Visit for Words {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "code" {
            self.number = u32::try_from(value).ok();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.text = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.text = Some(format!("{value:?}"));
        }
    }
}
