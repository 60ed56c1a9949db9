//! What a message without a schema does not say about itself.

use std::sync::Arc;

use super::registry::Registry;

/// How the messages of one source read where they do not say it themselves. A schema inside a message wins over this.
///
/// Dates and datetimes need no setting: a number is days since 1970-01-01, a text is ISO 8601.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    pub decimals: DecimalForm,
    pub key_case: KeyCase,
    /// Only topics of this database are read; `None` reads any. The database is the topic's third part from the right, in
    /// a topic of at least four; connectors before 2.0 leave it out.
    pub database: Option<String>,
    /// With a registry, values that begin with a zero byte are Avro in Confluent's framing.
    pub registry: Option<Arc<Registry>>,
}

/// How amounts stand in a message without a schema. It is never guessed: `"1234"` is a number and valid base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalForm {
    /// Base64 of the unscaled integer. Only the schema holds the scale, so without one it must be stated.
    Precise { scale: Option<u32> },
    /// Text: `"12.50"`.
    #[default]
    String,
    /// JSON numbers: `12.50`.
    Number,
}

/// Whether agreement numbers that differ only in the case of ASCII letters are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyCase {
    /// As SQL Server's default collation has it.
    #[default]
    Insensitive,
    Sensitive,
}

/// The formats contradict themselves or leave something out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatsError {
    #[error("decimals of the form precise need a scale where messages carry no schema")]
    ScaleMissing,
    #[error("a scale of {0} decimals is more than the 28 that an amount can have")]
    ScaleTooLarge(u32),
    #[error("the database name is empty")]
    DatabaseEmpty,
}

impl Formats {
    /// Finds what would otherwise make every message bad. `precise` without a scale is right when all messages carry
    /// their schema, which is known only to the caller: see [`Formats::validate_schemaless`].
    pub fn validate(&self) -> Result<(), FormatsError> {
        match self.decimals {
            DecimalForm::Precise { scale: Some(scale) } if scale > 28 => return Err(FormatsError::ScaleTooLarge(scale)),
            _ => {}
        }
        if self.database.as_deref() == Some("") {
            return Err(FormatsError::DatabaseEmpty);
        }
        Ok(())
    }

    /// The same for a source whose messages carry no schema.
    pub fn validate_schemaless(&self) -> Result<(), FormatsError> {
        if self.decimals == (DecimalForm::Precise { scale: None }) {
            return Err(FormatsError::ScaleMissing);
        }
        self.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precise(scale: Option<u32>) -> Formats {
        Formats { decimals: DecimalForm::Precise { scale }, ..Formats::default() }
    }

    #[test]
    fn precise_without_a_schema_needs_a_scale_of_at_most_28() {
        assert_eq!(precise(Some(28)).validate_schemaless(), Ok(()));
        assert_eq!(precise(Some(29)).validate_schemaless(), Err(FormatsError::ScaleTooLarge(29)));
        assert_eq!(precise(None).validate_schemaless(), Err(FormatsError::ScaleMissing));
        assert_eq!(precise(None).validate(), Ok(()));
    }

    #[test]
    fn an_empty_database_name_is_no_name() {
        assert_eq!(Formats { database: Some(String::new()), ..Formats::default() }.validate(), Err(FormatsError::DatabaseEmpty));
    }
}
