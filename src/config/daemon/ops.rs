//! `[ops]`: the endpoint for those who run the daemon.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::config::secret::secret;
use crate::config::{Problem, Secret, Section, Value, duration, text};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ops {
    pub listen: Listen,
    /// Whoever shows it may look at state and reload the rules; without one nobody may.
    pub token: Option<Secret>,
    /// Not ready when nothing was committed for so long though there are records.
    pub stalled_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    Off,
    /// Where nobody else does: a second member on one machine goes on without.
    Default,
    At(SocketAddr),
}

impl Listen {
    /// Loopback: metrics tell nobody outside how a lender's day goes, unless they are to.
    pub const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

    /// `None` if nothing is listened to.
    #[must_use]
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::Default => Some(Self::DEFAULT),
            Self::At(address) => Some(address),
        }
    }
}

/// Longer than a rebalance, a transaction's time-out and a look-up's pause together.
const STALLED_AFTER: Duration = Duration::from_mins(1);

pub(super) fn ops(section: &mut Section<'_>, folder: &Path) -> Ops {
    Ops {
        listen: section.optional("listen", listen).unwrap_or(Listen::Default),
        token: secret(section, "token", folder),
        stalled_after: section.optional("stalled_after", duration).unwrap_or(STALLED_AFTER),
    }
}

fn listen(value: Value<'_>) -> Result<Listen, Problem> {
    let text = text(value)?;
    match text.parse() {
        Ok(address) => Ok(Listen::At(address)),
        Err(_) if text == "off" => Ok(Listen::Off),
        Err(_) => {
            let problem = Problem::new(format!("expected an IP address and a port, or \"off\", found {text:?}"));
            Err(problem.hint("\"127.0.0.1:9464\" for this machine only, \"0.0.0.0:9464\" or \"[::]:9464\" for all"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn read(toml: &str) -> Result<Ops, String> {
        parse("t.toml", toml, |root| ops(root, Path::new("/etc"))).map_err(|errors| errors.to_string())
    }

    #[test]
    fn the_default_is_loopback_and_without_a_token() {
        let default = Ops { listen: Listen::Default, token: None, stalled_after: Duration::from_mins(1) };
        assert_eq!(read(""), Ok(default));
        assert!(Listen::DEFAULT.ip().is_loopback());
    }

    #[test]
    fn every_key_is_read() {
        let ops = read("listen = \"[::]:1\"\ntoken = { file = \"token\" }\nstalled_after = \"5s\"").unwrap();
        assert_eq!(ops.listen.address(), Some("[::]:1".parse().unwrap()));
        assert_eq!(ops.token, Some(Secret::File("/etc/token".into())));
        assert_eq!(ops.stalled_after, Duration::from_secs(5));
        assert_eq!(read("listen = \"off\"").unwrap().listen.address(), None);
    }

    #[test]
    fn a_token_in_the_file_itself_is_refused_and_not_quoted() {
        let errors = read("listen = \"localhost\"\ntoken = \"hunter2\"").unwrap_err();
        assert!(errors.contains("an IP address and a port") && errors.contains("env = "), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}
