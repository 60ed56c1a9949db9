//! What went wrong with a server, and what becomes of whoever asked.

use tiberius::error::{Error, IoErrorKind};

use crate::engine::lookup::LookupError;

/// What becomes of whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nobody answers, or the connection broke: asked again, on another connection.
    Away,
    /// The server answers that it cannot just now (a deadlock, throttling, a failover): asked again.
    Busy,
    /// The server, or its certificate, refuses us. Mostly a person is needed (a password that has expired, a certificate of
    /// nobody's), but a failover says the same for a minute, and nothing is lost by waiting. So: asked again, but rarely, lest a
    /// lock-out policy locks the account; told as an error, and by `/readyz`.
    Refused,
    /// The question itself is wrong: a table or a column is not there, or may not be read. Asking again cannot help.
    Wrong,
}

impl Class {
    /// As metrics have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Wrong => "wrong",
        }
    }
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("SQL Server {server}: {what}")]
pub struct SqlServerError {
    server: String,
    /// Holds no value of a row.
    what: String,
    class: Class,
    hint: Option<&'static str>,
}

impl SqlServerError {
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    pub(crate) fn new(server: &str, class: Class, what: impl Into<String>) -> Self {
        Self { server: server.to_owned(), what: what.into(), class, hint: None }
    }

    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// It did not do this in time.
    pub(super) fn late(server: &str, what: &str) -> Self {
        Self::new(server, Class::Away, format!("did not {what} in time"))
    }

    /// The same while the server is left in peace after it.
    pub(super) fn resting(&self) -> Self {
        Self { what: format!("{} (not asked again just now)", self.what), ..self.clone() }
    }

    pub(super) fn of(server: &str, error: Error) -> Self {
        let told = |class, what: String| Self::new(server, class, what);
        match error {
            Error::Server(error) => {
                let known = Known::of(error.code(), error.class());
                let mut what = format!("error {}, state {}, class {}", error.code(), error.state(), error.class());
                if known.may_be_quoted {
                    what = format!("{what}: {}", error.message().trim_end_matches('.'));
                }
                Self { hint: known.hint, ..told(known.class, what) }
            }
            Error::Io { kind: IoErrorKind::InvalidData, message } => told(Class::Refused, message).with_hint(CERTIFICATE),
            Error::Io { message, .. } => told(Class::Away, message),
            Error::Tls(message) => told(Class::Refused, format!("TLS failed: {message}")).with_hint(CERTIFICATE),
            Error::Routing { host, port } => told(Class::Busy, format!("routes in a circle, last to {host}:{port}")),
            Error::Protocol(message) if message.contains("encryption level") => {
                told(Class::Refused, "will not encrypt".to_owned())
                    .with_hint("set up TLS on the server; passwords do not go in the clear")
            }
            Error::Protocol(message) => told(Class::Away, format!("speaks strangely: {message}")),
            // these may quote what they could not convert
            Error::Encoding(_) | Error::Conversion(_) | Error::Utf8 | Error::Utf16 | Error::ParseInt(_) => {
                told(Class::Wrong, "gave a value that does not read".to_owned())
            }
            Error::BulkInput(_) => told(Class::Wrong, "failed in a way that the driver does not explain".to_owned()),
        }
    }
}

impl From<SqlServerError> for LookupError {
    fn from(error: SqlServerError) -> Self {
        let lookup = match error.class {
            // what must be done stands with what is wrong, since this is what /readyz says
            Class::Refused => Self::unavailable(match error.hint {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            }),
            Class::Away | Class::Busy => Self::unavailable(error.to_string()),
            Class::Wrong => Self::broken(error.to_string()),
        };
        match error.hint {
            Some(hint) => lookup.with_hint(hint),
            None => lookup,
        }
    }
}

const CERTIFICATE: &str = "its certificate must be made out to the host (or to certificate_name) and come from the system's \
    authorities or from ca_file; it needs a subject alternative name";

/// What is known of one of the server's errors.
struct Known {
    class: Class,
    hint: Option<&'static str>,
    /// Its text names objects, logins or databases, never a row's value.
    may_be_quoted: bool,
}

impl Known {
    #[expect(clippy::match_same_arms, reason = "what belongs together stands together")]
    fn of(number: u32, severity: u8) -> Self {
        let quoted = |class, hint| Self { class, hint: Some(hint), may_be_quoted: true };
        let passing = || Self { class: Class::Busy, hint: None, may_be_quoted: true };
        match number {
            // deadlock victim, lock time-out, no locks, no memory, snapshot conflicts
            1204 | 1205 | 1222 | 701 | 802 | 8645 | 8651 | 3960 | 3961 => passing(),
            // a database, or a replica, that is just coming up, going down, failing over, or being restored
            904 | 921 | 922 | 927 | 941 | 942 | 945 | 952 | 955 | 976 | 978 | 979 | 981 | 982 | 983 | 984 | 988 | 6001 | 6002
            | 6005 | 6006 | 17142 | 17147 | 17148 | 17198 | 18401 | 18451 => passing(),
            // the session was killed; its transaction is elsewhere
            233 | 596 | 3908 | 10053 | 10054 | 10060 | 10061 => Self { class: Class::Away, hint: None, may_be_quoted: true },
            // Azure: throttled, reconfigured, out of workers or sessions
            10928 | 10929 | 10936 | 40143 | 40166 | 40197 | 40501 | 40540 | 40544 | 40549 | 40550 | 40613 | 42108 | 42109
            | 49918 | 49919 | 49920 => passing(),
            911 | 916 | 4060 | 4063 | 4064 | 40532 => quoted(
                Class::Refused,
                "the database must exist, be online, and have a user for this login (CREATE USER … FOR LOGIN …)",
            ),
            18456 | 18452 | 18470 | 18486 | 18487 | 18488 | 40532..=40533 | 40607 | 40615 => {
                quoted(Class::Refused, "check the user and its password or token; it may be locked, disabled or expired")
            }
            207 => quoted(Class::Wrong, "name the column under expected.sqlserver.names.columns, or correct it there"),
            208 | 2706 | 4121 | 4902 => quoted(
                Class::Wrong,
                "check expected.sqlserver.database and .names; a table that may not be seen at all looks like one that is not there",
            ),
            229 | 230 | 262 | 297 | 300 | 371 => {
                quoted(Class::Wrong, "GRANT SELECT on the three tables, or on the columns that are read, to this user")
            }
            468 => quoted(Class::Wrong, "the key columns' collation could not be asked for: GRANT VIEW DEFINITION on the tables"),
            // others: the number says it all, and their text may quote a row
            _ if severity >= 17 => Self { class: Class::Busy, hint: None, may_be_quoted: false },
            _ => Self {
                class: Class::Wrong,
                hint: Some("SQL Server's documentation explains errors by number"),
                may_be_quoted: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::lookup::Fate;

    fn class(number: u32, severity: u8) -> Class {
        Known::of(number, severity).class
    }

    #[test]
    fn what_passes_is_asked_again_and_what_is_wrong_stops() {
        for number in [1205, 1222, 40613, 40197, 40501, 49918, 49919, 49920, 10928, 10929, 976, 18401] {
            assert_eq!(class(number, 16), Class::Busy, "{number}");
        }
        for number in [18456, 18488, 4060] {
            assert_eq!(class(number, 14), Class::Refused, "{number}");
        }
        for number in [207, 208, 229, 230, 245, 8115, 102] {
            assert_eq!(class(number, 16), Class::Wrong, "{number}");
        }
        assert_eq!((class(99_999, 16), class(99_999, 17)), (Class::Wrong, Class::Busy), "of others the severity decides");
    }

    #[test]
    fn only_what_cannot_hold_a_rows_value_is_quoted() {
        assert!(Known::of(208, 16).may_be_quoted && Known::of(18456, 14).may_be_quoted);
        // "Conversion failed when converting the varchar value 'FRH0000291' to data type int."
        assert!(!Known::of(245, 16).may_be_quoted && !Known::of(99_999, 20).may_be_quoted);
        let text = SqlServerError::of("sql:1433", Error::Conversion("FRH0000291".into())).to_string();
        assert!(text.starts_with("SQL Server sql:1433: ") && !text.contains("FRH"), "{text}");
    }

    #[test]
    fn a_refusal_waits_and_says_what_to_do_where_it_is_read() {
        let error = SqlServerError::of("sql:1433", Error::Tls("self-signed certificate".to_owned()));
        let lookup = LookupError::from(error);
        assert_eq!(lookup.fate, Fate::Retry);
        assert!(lookup.detail.contains("self-signed") && lookup.detail.contains("ca_file"), "{}", lookup.detail);
        let wrong = SqlServerError::new("sql:1433", Class::Wrong, "error 208").with_hint("check");
        let lookup = LookupError::from(wrong);
        assert_eq!((lookup.fate, lookup.hint.as_deref()), (Fate::Stop, Some("check")));
    }
}
