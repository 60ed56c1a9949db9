//! Which rules judged: a SHA-256 over a canonical text of the effective rules.
//!
//! The text has one line per decision, in a fixed order, and says what holds, not how the file says it:
//!
//! ```text
//! tidewaiter lending rules 1
//! window max_wait_ms=30000 closing_tolerance=5 max_silence_ms=60000
//! expected schedule_types=["Fee","Pay"] fallback=["fallen_due","next_due"]
//! types unknown="payment" secured=1 unsecured=2
//! type 3 "refund" "secured" "Refund"
//! type 50 "ignored"
//! R1 enabled=true severity="medium" max_percent_over=50 min_excess=0.01
//! R1 segment [205] max_percent_over=100 min_excess=0.01
//! R2 enabled=true severity="high" max_amount=3000
//! …
//! ```
//!
//! - Defaults are written out; a segment has all its thresholds, also those it takes from its rule.
//! - Numbers have no trailing zeros, so 50, 50.0 and "50.00" are one number. Durations are in milliseconds.
//! - Texts are JSON strings, so no name can pass for something else.
//! - Sorted, because their order decides nothing: codes, schedule types, the agreement types of a segment. In the order
//!   of the file, because the first that applies wins: fallbacks, segments.
//! - A disabled rule has its line and its thresholds too: the fingerprint stands for the rules, not for their outcome.
//!
//! The first line's number rises whenever the same file would get another text.

use std::fmt::{self, Write};

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::{LendingRules, LumpSumThresholds, OverpaymentThresholds, Platform, Rule};

impl LendingRules {
    pub(super) fn with_fingerprint(self) -> Self {
        let digest = Sha256::digest(self.canonical());
        let mut fingerprint = String::with_capacity(64);
        for byte in digest {
            write!(fingerprint, "{byte:02x}").expect(IN_MEMORY);
        }
        Self { fingerprint, ..self }
    }

    /// The text that the fingerprint is of: every decision, one a line.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect(IN_MEMORY);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let Self { window, expected, types, r1, r2, r3, r4, r5, fingerprint: _ } = self;
        writeln!(out, "tidewaiter lending rules 1")?;
        let (wait, silence) = (window.max_wait_ms, window.max_silence_ms);
        let tolerance = number(window.closing_tolerance);
        writeln!(out, "window max_wait_ms={wait} closing_tolerance={tolerance} max_silence_ms={silence}")?;

        let mut schedule_types: Vec<&str> = expected.schedule_types.iter().map(AsRef::as_ref).collect();
        schedule_types.sort_unstable();
        let fallback: Vec<&str> = expected.fallback.iter().map(|fallback| fallback.name()).collect();
        writeln!(out, "expected schedule_types={} fallback={}", json(&schedule_types), json(&fallback))?;

        write!(out, "types unknown={}", json(types.unknown.name()))?;
        for (platform, id) in Platform::ALL.into_iter().zip(types.platform_ids) {
            write!(out, " {}={id}", platform.name())?;
        }
        writeln!(out)?;
        for (code, entry) in &types.codes {
            write!(out, "type {code} {}", json(entry.class.name()))?;
            if let Some(platform) = entry.platform {
                write!(out, " {}", json(platform.name()))?;
            }
            if let Some(name) = &entry.name {
                write!(out, " {}", json(name.as_str()))?;
            }
            writeln!(out)?;
        }

        rule(out, "R1", r1, |out, OverpaymentThresholds { max_percent_over, min_excess }| {
            write!(out, " max_percent_over={} min_excess={}", number(*max_percent_over), number(*min_excess))
        })?;
        rule(out, "R2", r2, |out, LumpSumThresholds { max_amount }| write!(out, " max_amount={}", number(*max_amount)))?;
        for (id, always) in [("R3", r3), ("R4", r4), ("R5", r5)] {
            rule(out, id, always, |_, ()| Ok(()))?;
        }
        Ok(())
    }
}

const IN_MEMORY: &str = "writing to a string cannot fail";

fn rule<T>(out: &mut String, id: &str, rule: &Rule<T>, thresholds: impl Fn(&mut String, &T) -> fmt::Result) -> fmt::Result {
    write!(out, "{id} enabled={} severity={}", rule.enabled, json(rule.severity.name()))?;
    thresholds(out, &rule.thresholds)?;
    writeln!(out)?;
    for segment in &rule.segments {
        let mut types = segment.agreement_types.clone();
        types.sort_unstable();
        write!(out, "{id} segment {}", json(&types))?;
        thresholds(out, &segment.thresholds)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Without trailing zeros, hence one text per number.
fn number(number: Decimal) -> Decimal {
    number.normalize()
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts and integers always have a JSON form")
}

#[cfg(test)]
mod tests;
