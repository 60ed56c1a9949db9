//! What holds where the rules file is silent. `rules/lending.toml` explains each.

use rust_decimal::Decimal;

use super::{
    Class, Expected, Fallback, LendingRules, LumpSumThresholds, OverpaymentThresholds, Platform, Rule, Severity,
    TransactionTypes, TypeEntry, Window,
};

/// Write-off, goodwill, adjustment.
pub(super) const IGNORED: [i64; 3] = [50, 60, 70];

/// Direct debit and card on both platforms: what is a payment where codes that are not listed are ignored and no list says
/// which are payments.
pub(super) const PAYMENT: [i64; 5] = [7, 12, 32, 1012, 1032];

const SECURED: [(i64, &str); 4] =
    [(3, "Refund"), (107, "Refund of Card Payment"), (108, "Refund of Direct Debit"), (112, "Refund of OTP")];

const UNSECURED: [(i64, &str); 10] = [
    (1003, "Refund"),
    (1100, "Refund DM"),
    (1108, "Refund of Card Payment"),
    (1109, "Refund of Direct Debit"),
    (1205, "Chequebase Live Refund"),
    (1206, "Transfer Refund"),
    (1207, "Cheque Refund"),
    (1208, "Cash Refund"),
    (1210, "Terminal Refund"),
    (1308, "Refund"),
];

impl Platform {
    pub(super) const ALL: [Self; 2] = [Self::Secured, Self::Unsecured];

    /// FKPlatformID in dbo.TransactionType.
    pub(super) fn default_id(self) -> i64 {
        match self {
            Self::Secured => 1,
            Self::Unsecured => 2,
        }
    }

    pub(super) fn default_refunds(self) -> &'static [(i64, &'static str)] {
        match self {
            Self::Secured => &SECURED,
            Self::Unsecured => &UNSECURED,
        }
    }
}

impl Default for LendingRules {
    /// What an empty file means.
    fn default() -> Self {
        let rules = Self {
            window: Window::default(),
            expected: Expected::default(),
            types: TransactionTypes::default(),
            r1: Rule::new(Severity::Medium, OverpaymentThresholds::default()),
            r2: Rule::new(Severity::High, LumpSumThresholds::default()),
            r3: Rule::new(Severity::Medium, ()),
            r4: Rule::new(Severity::Low, ()),
            r5: Rule::new(Severity::Medium, ()),
            fingerprint: String::new(),
        };
        rules.with_fingerprint()
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { max_wait_ms: 30_000, closing_tolerance: Decimal::new(500, 2), max_silence_ms: 60_000 }
    }
}

impl Default for Expected {
    fn default() -> Self {
        Self { schedule_types: vec!["Pay".into(), "Fee".into()], fallback: vec![Fallback::FallenDue, Fallback::NextDue] }
    }
}

impl Default for TransactionTypes {
    fn default() -> Self {
        let ignored = IGNORED.iter().map(|code| (*code, TypeEntry { class: Class::Ignored, name: None, platform: None }));
        let refunds = Platform::ALL.into_iter().flat_map(|platform| {
            let entry = move |name: &str| TypeEntry { class: Class::Refund, name: Some(name.into()), platform: Some(platform) };
            platform.default_refunds().iter().map(move |(code, name)| (*code, entry(name)))
        });
        Self {
            codes: ignored.chain(refunds).collect(),
            unknown: Class::Payment,
            platform_ids: Platform::ALL.map(Platform::default_id),
        }
    }
}

impl<T> Rule<T> {
    fn new(severity: Severity, thresholds: T) -> Self {
        Self { enabled: true, severity, thresholds, segments: Vec::new() }
    }
}

impl Default for OverpaymentThresholds {
    fn default() -> Self {
        Self { max_percent_over: Decimal::new(50, 0), min_excess: Decimal::new(1, 2) }
    }
}

impl Default for LumpSumThresholds {
    fn default() -> Self {
        Self { max_amount: Decimal::new(300_000, 2) }
    }
}
