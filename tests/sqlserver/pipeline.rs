//! The daemon's pipeline on the loan book's server, through outages: the alerts of the undisturbed run, no more and no fewer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tidewaiter::config::daemon::Cache;
use tidewaiter::domains::lending::Lending;
use tidewaiter::domains::lending::decode::Decoder;
use tidewaiter::domains::lending::expected::{self, Answer, Question};
use tidewaiter::domains::lending::profiles::Profiles;
use tidewaiter::domains::lending::settings::LendingRules;
use tidewaiter::engine::Partition;
use tidewaiter::engine::cache::Cached;
use tidewaiter::engine::lookup::Lookup;
use tidewaiter::engine::pipeline::{Condition, Observer, Pipeline, PipelineSettings, Ports, Until};
use tidewaiter::engine::ports::OwnedRecord;
use tidewaiter::event::{Formats, KeyCase, Origin, Topic};
use tidewaiter::time::SystemClock;
use tokio::sync::watch;

use crate::book::{Book, Client, block_on};
use crate::memory::Broker;
use crate::proxy::{Mode, Proxy};

const TOPIC: &str = "s.Book.dbo.Transaction";
const MOVEMENTS: usize = 240;
/// Noon of 2026-02-03.
const FIRST_MS: i64 = 1_770_120_000_000;

/// Payments of twice what is expected, a second apart, each of another agreement; every tenth of one without a profile.
fn book_and_records() -> (Book, Vec<OwnedRecord>) {
    let mut book = Book::default();
    let mut records = Vec::new();
    for n in 0..MOVEMENTS {
        let number = format!("FRH{n:07}");
        book.agreement(&number, "'2020-01-01'");
        if n % 10 != 0 {
            book.payment(&number, "2026-02-03", &format!("{}.10", 100 + n), "Pay", "0");
        }
        let after = json!({
            "TransCounter": n, "TransAgreementNumber": number, "TransCreateDate": 0, "TransDate": "2026-02-03",
            "TransTypeID": 7, "TransNetPayment": format!("{}.20", 200 + 2 * n),
        });
        let lsn = format!("0000002b:{n:08x}:0001");
        let source = json!({"ts_ms": FIRST_MS + 1_000 * i64::try_from(n).unwrap(), "commit_lsn": lsn, "change_lsn": lsn, "event_serial_no": 1});
        let value = json!({"before": null, "after": after, "source": source, "op": "c"});
        records.push(OwnedRecord {
            origin: Origin { topic: Topic::intern(TOPIC), partition: 0, offset: i64::try_from(n).unwrap() },
            timestamp_ms: None,
            key: Some(number.into_bytes()),
            value: Some(value.to_string().into_bytes()),
            headers: [].into(),
        });
    }
    (book, records)
}

#[derive(Clone, Default)]
struct Conditions(Arc<Mutex<Vec<Condition>>>);

impl Observer<Lending> for Conditions {
    fn condition(&mut self, condition: &Condition) {
        self.0.lock().unwrap().push(condition.clone());
    }
}

/// Runs to the end of the records; gives the alerts without the wall clock, and what the pipeline waited for.
async fn run<L>(records: &[OwnedRecord], lookup: L) -> (Vec<Value>, Vec<Condition>)
where
    L: Lookup<Question, Answer> + 'static,
{
    let broker = Broker::with(&[Partition { topic: Topic::intern(TOPIC), partition: 0 }]);
    for record in records {
        broker.append(record.clone());
    }
    let conditions = Conditions::default();
    let settings: PipelineSettings<Lending> = PipelineSettings {
        max_records: 10,
        max_changes: 10,
        max_idle: Duration::from_millis(10),
        ..PipelineSettings::new(|_| Duration::from_mins(1))
    };
    let (_rules, rules) = watch::channel(Arc::new(LendingRules::shipped()));
    let (_until, until) = watch::channel(Until::Drained);
    let ports = Ports { source: broker.clone(), sink: broker.clone(), lookup };
    let lending = Arc::new(Lending::new(Decoder::new(&Formats::default())));
    let pipeline = Pipeline::new(lending, settings, ports, Arc::new(SystemClock), rules).observed_by(conditions.clone());
    pipeline.run(until).await.unwrap();
    let mut alerts: Vec<Value> = broker.alerts().iter().map(|alert| serde_json::from_str(alert).unwrap()).collect();
    for alert in &mut alerts {
        alert.as_object_mut().unwrap().remove("detected_at").unwrap();
    }
    let conditions = conditions.0.lock().unwrap().clone();
    (alerts, conditions)
}

#[test]
fn nothing_is_lost_and_nothing_guessed_while_the_server_goes_and_comes() {
    let (book, records) = book_and_records();
    let (server, file) = (book.server("decimal(18,2)"), book.file(2));
    let proxy = Proxy::start(server.address);
    let mut client = Client::of(&server, proxy.address.port());
    client.config.query_timeout = Duration::from_secs(1);
    client.config.connect_timeout = Duration::from_secs(2);
    client.config.deadline = Duration::from_secs(3);
    block_on(async {
        let (undisturbed, calm) = run(&records, Profiles::open(&file.path, KeyCase::Insensitive).unwrap()).await;
        assert_eq!(undisturbed.len(), MOVEMENTS - MOVEMENTS / 10, "one R1 for each whose payment is known");
        assert!(!calm.iter().any(|condition| matches!(condition, Condition::LookupUnavailable(_))));

        server.behave(|behaviour| behaviour.delay = Duration::from_millis(20));
        proxy.set(Mode::Down);
        let cached = Cached::new(client.book(), expected::policy(Cache::default()), Arc::new(SystemClock));
        let disturbs = async {
            for mode in
                [Mode::Down, Mode::Pass, Mode::Silent, Mode::Pass, Mode::Down, Mode::Slow(Duration::from_millis(5)), Mode::Down]
            {
                proxy.set(mode);
                proxy.cut_after(2_500);
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
            proxy.set(Mode::Pass);
        };
        let ((alerts, conditions), ()) = tokio::join!(run(&records, cached), disturbs);
        assert_eq!(alerts, undisturbed);
        let waited: Vec<&String> = conditions
            .iter()
            .filter_map(|condition| match condition {
                Condition::LookupUnavailable(why) => Some(why),
                _ => None,
            })
            .collect();
        assert!(waited.iter().any(|why| why.contains("SQL Server localhost:")), "{conditions:?}");
        assert_eq!(conditions.last(), Some(&Condition::Running));
    });
}
