//! The daemon's configuration: where records come from, where alerts go, and how long is waited.

mod kafka;
mod ops;
mod shown;
mod sqlserver;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::kafka::{Kafka, Property};
pub use self::ops::{Listen, Ops};
pub use self::sqlserver::{Cache, Login, Names, SqlServer, Tls, TlsMode, Trust};
use super::registry::{SchemaRegistry, schema_registry};
use super::{ConfigErrors, LoadError, Problem, Section, Value, boolean, choice, duration, integer, load, parse, text};
use crate::event::{DecimalForm, Formats, KeyCase};

/// A valid configuration, defaults filled in.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    pub source: Source,
    pub kafka: Kafka,
    pub alerts_topic: String,
    pub dead_letters_topic: String,
    /// The group's own, unless named otherwise: two groups must not share one.
    pub changelog_topic: String,
    pub expected: Expected,
    pub engine: Engine,
    pub ops: Ops,
    /// The rules file; without it the shipped rules hold.
    pub rules: Option<PathBuf>,
}

/// Where expected payments are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub book: Book,
    pub cache: Cache,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Book {
    /// No expected payment is known.
    None,
    /// An SQLite file with the loan book.
    File(PathBuf),
    SqlServer(Box<SqlServer>),
}

#[derive(Clone, Debug)]
pub struct Source {
    pub topics: Vec<String>,
    pub heartbeat_topic: Option<String>,
    /// Where reading starts when the group has committed nothing.
    pub from_latest: bool,
    /// Without the registry, which is not opened here.
    pub formats: Formats,
    pub registry: Option<SchemaRegistry>,
    pub accept_rebuilt_source: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    pub batch_records: usize,
    pub batch_age: Duration,
    /// Per partition.
    pub buffer_bytes: usize,
    pub max_idle: Duration,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            // a few milliseconds of work, so that a repeated batch costs little
            batch_records: 10_000,
            // a transaction costs some milliseconds: waiting a little saves many of them
            batch_age: Duration::from_millis(20),
            buffer_bytes: 32 * MIB,
            // the connector writes both topics from one poll, so what belongs together comes within this
            max_idle: Duration::from_millis(500),
        }
    }
}

const MIB: usize = 1024 * 1024;

impl DaemonConfig {
    /// Reads a file. Relative paths in it count from its folder. `reserved` are Kafka properties that are not for a file to
    /// set, each with what to do instead.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong with it.
    pub fn load(path: &Path, reserved: &[(&str, &str)]) -> Result<Self, LoadError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        load(path, |name, text| Self::parse(name, text, folder, reserved))
    }

    /// Reads a text, for [`Self::load`] and tests.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(name: &str, toml: &str, folder: &Path, reserved: &[(&str, &str)]) -> Result<Self, ConfigErrors> {
        let path = |text: String| folder.join(text);
        parse(name, toml, |root| {
            let source = root.table("source", |section| source(section, folder));
            let kafka = root.table("kafka", |section| kafka::kafka(section, reserved, folder));
            let changelog = format!("{}.changelog", kafka.group_id);
            Self {
                changelog_topic: root.table("changelog", |section| topic(section, &changelog)),
                source,
                kafka,
                alerts_topic: root.table("alerts", |section| topic(section, "tidewaiter.alerts")),
                dead_letters_topic: root.table("dead_letters", |section| topic(section, "tidewaiter.dead-letters")),
                expected: root.table("expected", |section| expected(section, folder)),
                engine: engine(root),
                ops: root.table("ops", |section| ops::ops(section, folder)),
                rules: root.optional("rules", text).map(path),
            }
        })
    }
}

fn source(section: &mut Section<'_>, folder: &Path) -> Source {
    let prefix = section.optional("prefix", text);
    let database = section.optional("database", text);
    let topics = section.list("topics", text).map(|topics| topics.into_iter().map(|topic| topic.value).collect::<Vec<_>>());
    let topics = match (topics, &prefix, &database) {
        (Some(_), Some(_), _) => {
            section.problem(Problem::new(format!("`{}` has both topics and prefix", section.path())).hint("keep one of them"));
            Vec::new()
        }
        (Some(topics), None, _) if topics.is_empty() => {
            section.problem_with("topics", Problem::new(format!("`{}` is empty", section.name("topics"))));
            topics
        }
        (Some(topics), None, _) => topics,
        (None, Some(prefix), Some(database)) => {
            ["Transaction", "Agreement"].map(|table| format!("{prefix}.{database}.dbo.{table}")).into()
        }
        (None, ..) => {
            let problem = Problem::new(format!("`{}` does not say what to read", section.path()));
            section.problem(problem.hint("give it the connector's topic.prefix, as prefix, and database; or topics"));
            Vec::new()
        }
    };
    let formats = formats(section, database);
    Source {
        topics,
        heartbeat_topic: section.optional("heartbeat_topic", text),
        from_latest: section.optional("start", choice(&[("earliest", false), ("latest", true)])).unwrap_or(false),
        formats,
        registry: schema_registry(section, folder),
        accept_rebuilt_source: section.optional("accept_rebuilt_source", boolean).unwrap_or(false),
    }
}

fn expected(section: &mut Section<'_>, folder: &Path) -> Expected {
    let profiles = section.optional("profiles", text).map(|file| folder.join(file));
    let server = sqlserver::sqlserver(section, folder);
    let book = match (profiles, server) {
        (Some(_), Some(_)) => {
            let problem = Problem::new(format!("`{}` has both profiles and sqlserver", section.path()));
            section.problem(problem.hint("the loan book is looked up in one place: keep one of them"));
            Book::None
        }
        (Some(file), None) => Book::File(file),
        (None, Some(server)) => Book::SqlServer(Box::new(server)),
        (None, None) => Book::None,
    };
    Expected { book, cache: section.table("cache", sqlserver::cache) }
}

fn formats(section: &mut Section<'_>, database: Option<String>) -> Formats {
    const DECIMALS: [(&str, DecimalForm); 3] =
        [("precise", DecimalForm::Precise { scale: None }), ("string", DecimalForm::String), ("number", DecimalForm::Number)];
    let mut decimals = section.optional("decimals", choice(&DECIMALS)).unwrap_or_default();
    let scale = section.optional("scale", |value| bounded(value, 0, 28));
    match &mut decimals {
        DecimalForm::Precise { scale: known } => {
            *known = scale.and_then(|scale| u32::try_from(scale).ok());
            if !section.has("scale") {
                // no message could be read by it: one with a schema says its own form and scale
                let problem = Problem::new(format!("`{}` = \"precise\" needs a scale", section.name("decimals")));
                let hint = "add scale = 2 for decimal(18,2), 4 for money; messages that carry their schema need neither key";
                section.problem_with("decimals", problem.hint(hint));
            }
        }
        DecimalForm::String | DecimalForm::Number if scale.is_some() => {
            let problem = Problem::new(format!("`{}` is for decimals = \"precise\"", section.name("scale")));
            section.problem_with("scale", problem.hint("amounts as text or numbers carry their own decimals"));
        }
        DecimalForm::String | DecimalForm::Number => {}
    }
    let key_case = choice(&[("insensitive", KeyCase::Insensitive), ("sensitive", KeyCase::Sensitive)]);
    let key_case = section.optional("key_case", key_case).unwrap_or_default();
    Formats { decimals, key_case, database, ..Formats::default() }
}

fn topic(section: &mut Section<'_>, default: &str) -> String {
    section.optional("topic", text).unwrap_or_else(|| default.to_owned())
}

fn engine(root: &mut Section<'_>) -> Engine {
    let default = Engine::default();
    let engine = root.table("engine", |section| Engine {
        batch_records: section.optional("batch_records", |value| bounded(value, 1, 1_000_000)).unwrap_or(default.batch_records),
        batch_age: section.optional("batch_age", duration).unwrap_or(default.batch_age),
        buffer_bytes: section
            .optional("buffer_mib", |value| bounded(value, 1, 4096))
            .map_or(default.buffer_bytes, |mib| mib * MIB),
        max_idle: default.max_idle,
    });
    let max_idle = root.table("merge", |section| section.optional("max_idle", duration)).unwrap_or(default.max_idle);
    Engine { max_idle, ..engine }
}

fn bounded(value: Value<'_>, least: usize, most: usize) -> Result<usize, Problem> {
    let number = integer(value)?;
    let fits = usize::try_from(number).ok().filter(|number| (least..=most).contains(number));
    fits.ok_or_else(|| Problem::new(format!("expected {least} to {most}, found {number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<DaemonConfig, String> {
        let reserved = [("group.id", "set kafka.group_id")];
        DaemonConfig::parse("t.toml", toml, Path::new("/etc/tidewaiter"), &reserved).map_err(|errors| errors.to_string())
    }

    const SMALLEST: &str =
        "[source]\nprefix = \"sentinel\"\ndatabase = \"SentinelMock\"\n[kafka]\nbootstrap_servers = \"b:9092\"\n";

    #[test]
    fn five_lines_are_enough() {
        let config = read(SMALLEST).unwrap();
        assert_eq!(config.source.topics, ["sentinel.SentinelMock.dbo.Transaction", "sentinel.SentinelMock.dbo.Agreement"]);
        assert_eq!((config.kafka.group_id.as_str(), config.alerts_topic.as_str()), ("tidewaiter", "tidewaiter.alerts"));
        assert_eq!(config.engine, Engine::default());
        assert_eq!((config.changelog_topic.as_str(), config.kafka.create_topics), ("tidewaiter.changelog", true));
        assert_eq!(config.source.formats.decimals, DecimalForm::String);
    }

    #[test]
    fn every_key_is_read() {
        let config = read(
            r#"
            rules = "rules/lending.toml"
            [source]
            topics = ["a.T", "a.A"]
            database = "X"
            decimals = "precise"
            scale = 4
            key_case = "sensitive"
            heartbeat_topic = "__debezium-heartbeat.a"
            start = "latest"
            accept_rebuilt_source = true
            [kafka]
            bootstrap_servers = "b:1"
            group_id = "g"
            instance_id = "i"
            create_topics = false
            properties = { "linger.ms" = 5, "security.protocol" = "ssl", "socket.keepalive.enable" = true }
            [alerts]
            topic = "al"
            [dead_letters]
            topic = "dl"
            [changelog]
            topic = "cl"
            [expected]
            profiles = "/book.sqlite"
            cache = { found = "10m" }
            [engine]
            batch_records = 100
            batch_age = "1s"
            buffer_mib = 2
            [merge]
            max_idle = "2s"
            "#,
        )
        .unwrap();
        assert_eq!(config.rules, Some("/etc/tidewaiter/rules/lending.toml".into()), "relative to the file");
        assert_eq!(config.expected.book, Book::File("/book.sqlite".into()));
        assert_eq!(config.expected.cache.found, Duration::from_mins(10));
        assert_eq!((config.changelog_topic.as_str(), config.kafka.create_topics), ("cl", false));
        assert_eq!(config.source.topics, ["a.T", "a.A"]);
        assert_eq!(config.source.formats.decimals, DecimalForm::Precise { scale: Some(4) });
        assert_eq!(config.source.formats.key_case, KeyCase::Sensitive);
        assert_eq!(config.source.formats.database.as_deref(), Some("X"));
        assert!(config.source.from_latest && config.source.accept_rebuilt_source);
        let properties = config.kafka.resolved().unwrap();
        let properties: Vec<_> = properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(properties, [("linger.ms", "5"), ("security.protocol", "ssl"), ("socket.keepalive.enable", "true")]);
        let engine = Engine {
            batch_records: 100,
            batch_age: Duration::from_secs(1),
            buffer_bytes: 2 * MIB,
            max_idle: Duration::from_secs(2),
        };
        assert_eq!(config.engine, engine);
    }

    /// The example, and the example with every key that it shows as a remark: prose has a blank after its #, keys have none.
    #[test]
    fn the_annotated_example_says_the_defaults_and_every_key_in_it_is_read() {
        const EXAMPLE: &str = include_str!("../../../deploy/tidewaiter.toml");
        let config = read(EXAMPLE).unwrap();
        assert_eq!(config.engine, Engine::default());
        let smallest = read(SMALLEST).unwrap();
        assert_eq!(config.ops, Ops { listen: Listen::At(Listen::DEFAULT), ..smallest.ops });
        assert_eq!(config.alerts_topic, smallest.alerts_topic);
        assert_eq!(config.dead_letters_topic, smallest.dead_letters_topic);
        let remarks =
            |line: &str| line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).map(str::to_owned);
        let full: Vec<String> = EXAMPLE.lines().map(|line| remarks(line).unwrap_or_else(|| line.to_owned())).collect();
        let config = read(&full.join("\n")).unwrap();
        assert!(config.source.registry.is_some() && config.ops.token.is_some() && config.kafka.instance_id.is_some());
        assert!(config.source.heartbeat_topic.is_some() && config.expected.cache == Cache::default());
        let Book::SqlServer(server) = config.expected.book else { panic!("the example shows a SQL Server") };
        let default = SqlServer::at(&server.host, &server.database, server.login.clone());
        let tls = Tls { trust: Trust::Authorities(None), certificate_name: None, ..server.tls.clone() };
        assert_eq!(SqlServer { tls, ..*server }, default);
        assert!(config.kafka.properties.values().any(|property| matches!(property, Property::Secret(_))));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let errors = read(
            "[source]\nscale = 2\nkey_case = \"upper\"\n[kafka]\nbootstrap_server = \"b:1\"\nproperties = { \"group.id\" = \"x\" }\n[engine]\nbatch_records = 0\n",
        )
        .unwrap_err();
        for part in [
            "does not say what to read",
            "`source.scale`",
            "key_case",
            "bootstrap_servers",
            "group_id",
            "1 to 1000000",
            "did you mean",
        ] {
            assert!(errors.contains(part), "{part} in {errors}");
        }
    }

    #[test]
    fn precise_amounts_need_a_scale_and_others_must_not_have_one() {
        let with = |lines: &str| read(&SMALLEST.replace("[kafka]", &format!("{lines}\n[kafka]")));
        let scale = |lines| with(lines).map(|config| config.source.formats.decimals);
        assert_eq!(scale("decimals = \"precise\"\nscale = 0"), Ok(DecimalForm::Precise { scale: Some(0) }));
        let missing = scale("decimals = \"precise\"").unwrap_err();
        assert!(
            missing.starts_with("t.toml:4:12: `source.decimals` = \"precise\" needs a scale\n  hint: add scale = 2 "),
            "{missing}"
        );
        let malformed = scale("decimals = \"precise\"\nscale = 29").unwrap_err();
        assert!(malformed.contains("0 to 28") && !malformed.contains("needs a scale"), "{malformed}");
        assert!(scale("decimals = \"number\"\nscale = 2").unwrap_err().contains("is for decimals = \"precise\""));
    }

    #[test]
    fn the_loan_book_is_looked_up_in_one_place() {
        let server = "[expected.sqlserver]\nhost = \"sql\"\ndatabase = \"S\"\nuser = \"u\"\npassword = { env = \"P\" }\n";
        let config = read(&format!("{SMALLEST}{server}")).unwrap();
        assert!(matches!(&config.expected.book, Book::SqlServer(server) if server.host == "sql"));
        let shown = config.shown();
        assert_eq!(shown["expected"]["sqlserver"]["password"], serde_json::json!({"env": "P"}));
        let errors = read(&format!("{SMALLEST}[expected]\nprofiles = \"book.sqlite\"\n{server}")).unwrap_err();
        assert!(errors.contains("both profiles and sqlserver"), "{errors}");
    }

    #[test]
    fn no_property_value_is_printed() {
        let config = read(&format!("{SMALLEST}properties = {{ \"plugin.of.mine\" = \"hunter2\" }}\n")).unwrap();
        assert!(!format!("{config:?} {}", config.shown()).contains("hunter2"));
    }
}
