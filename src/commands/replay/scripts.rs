//! Which scripts run, what they can reach, and what each must raise.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::advise;
use crate::config::{self, LoadError, Problem, Section, text};
use crate::io::sentinel::Surroundings;

/// A script, or a part of the set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// As messages name it.
    pub(super) name: String,
    pub(super) text: String,
}

/// What a script must raise: `R1 FRM0001544`, sorted.
pub(super) type Raised = Vec<String>;

/// Everything one replay runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) setup: Vec<Script>,
    pub(super) scripts: Vec<Script>,
    /// By the name of the script.
    pub(super) expected: BTreeMap<String, Raised>,
    /// Files whose change starts a watched replay anew.
    pub(super) watched: Vec<PathBuf>,
}

const EXPECTATIONS: &str = "expected.toml";

/// The repository's scripts, built in, so that an installed program has them too.
macro_rules! built_in {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)))),*]
    };
}

const BOOK: [(&str, &str); 2] = built_in!["deploy/sql/schema.sql", "deploy/sql/seed.sql"];

const TEST_EVENTS: [(&str, &str); 15] = built_in![
    "test-events/01-direct-debit-as-expected.sql",
    "test-events/02-card-payment-as-expected.sql",
    "test-events/03-lump-sum.sql",
    "test-events/04-refund-secured.sql",
    "test-events/05-refund-unsecured.sql",
    "test-events/06-settlement-in-three-commits.sql",
    "test-events/07-settlement-in-one-update.sql",
    "test-events/08-opening-with-delayed-custom-profile.sql",
    "test-events/09-overpayment-of-custom-profile.sql",
    "test-events/10-payment-holiday.sql",
    "test-events/11-balance-before-transaction.sql",
    "test-events/12-two-equal-payments.sql",
    "test-events/13-write-off.sql",
    "test-events/14-late-payment.sql",
    "test-events/15-edit-without-money.sql",
];

const EXPECTED: (&str, &str) = built_in!["test-events/expected.toml"][0];

impl Plan {
    /// The scripts that are named, else the built-in ones; on the book that is named, else the built-in one.
    pub(super) fn new(scripts: &[PathBuf], setup: &[PathBuf]) -> anyhow::Result<Self> {
        let owned = |(name, text): &(&str, &str)| Script { name: (*name).to_owned(), text: (*text).to_owned() };
        let mut plan = Self { setup: Vec::new(), scripts: Vec::new(), expected: BTreeMap::new(), watched: Vec::new() };
        if setup.is_empty() {
            plan.setup = BOOK.iter().map(owned).collect();
        }
        for path in setup {
            plan.setup.push(read(path)?);
            plan.watched.push(path.clone());
        }
        if scripts.is_empty() {
            if !setup.is_empty() {
                let hint = "the built-in scripts know the built-in book only: name the scripts to run on this one";
                return Err(advise(anyhow::anyhow!("--setup without a script"), hint));
            }
            plan.scripts = TEST_EVENTS.iter().map(owned).collect();
            let (name, text) = EXPECTED;
            let folder = Path::new("test-events");
            let expected = expectations(name, text, |script| plan.runs(folder, script)).map_err(LoadError::Invalid)?;
            plan.expect(folder, expected);
        }
        for path in scripts {
            plan.add(path)?;
        }
        Ok(plan)
    }

    /// A script, or a folder's scripts in the order of their names, with what they must raise where it says so.
    fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        if !path.is_dir() {
            self.scripts.push(read(path)?);
            self.watched.push(path.to_owned());
            return Ok(());
        }
        self.watched.push(path.to_owned());
        let listed = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut files = listed.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        files.retain(|file| is_script(file));
        files.sort();
        if files.is_empty() {
            return Err(advise(anyhow::anyhow!("{} holds no script", path.display()), "scripts are files that end in .sql"));
        }
        for file in &files {
            self.scripts.push(read(file)?);
        }
        self.watched.extend(files);
        let expected = path.join(EXPECTATIONS);
        if expected.exists() {
            let read = |name: &str, text: &str| expectations(name, text, |script| self.runs(path, script));
            let read = config::load(&expected, read)?;
            self.expect(path, read);
            self.watched.push(expected);
        }
        Ok(())
    }

    fn runs(&self, folder: &Path, script: &str) -> bool {
        let name = folder.join(script).display().to_string();
        self.scripts.iter().any(|script| script.name == name)
    }

    fn expect(&mut self, folder: &Path, expected: Vec<(String, Raised)>) {
        self.expected.extend(expected.into_iter().map(|(name, raised)| (folder.join(name).display().to_string(), raised)));
    }
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
}

/// Whether a file of a folder matters to a replay of the folder.
pub(super) fn is_read(path: &Path) -> bool {
    is_script(path) || path.ends_with(EXPECTATIONS)
}

/// The folders that scripts stand in, for the files that they read in, and the environment.
#[derive(Debug, Default)]
pub(super) struct Disk {
    read: RefCell<BTreeSet<PathBuf>>,
}

impl Disk {
    /// The files that were read in so far.
    pub(super) fn into_read(self) -> Vec<PathBuf> {
        self.read.into_inner().into_iter().collect()
    }
}

impl Surroundings for Disk {
    fn file(&self, from: &str, path: &str) -> Result<(String, String), String> {
        // scripts that were written on Windows
        let path = path.replace('\\', "/");
        let beside = Path::new(from).parent().unwrap_or(Path::new("")).join(&path);
        let found = if beside.exists() { beside } else { PathBuf::from(&path) };
        let script = read(&found).map_err(|error| format!("{error:#}"))?;
        self.read.borrow_mut().insert(found);
        Ok((script.name, script.text))
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

fn read(path: &Path) -> anyhow::Result<Script> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = decode(&bytes).ok_or_else(|| {
        advise(anyhow::anyhow!("{} is not text", path.display()), "scripts are UTF-8, or UTF-16 with a byte order mark")
    })?;
    Ok(Script { name: path.display().to_string(), text })
}

/// SQL Server Management Studio saves UTF-16 with a mark, or UTF-8 with one.
fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] | text => std::str::from_utf8(text).ok().map(str::to_owned),
    }
}

/// Reads `[[script]]` tables of `name` and `raises`. A name that no script has would check nothing, so it is refused.
fn expectations(file: &str, source: &str, runs: impl Fn(&str) -> bool) -> Result<Vec<(String, Raised)>, config::ConfigErrors> {
    config::parse(file, source, |root: &mut Section<'_>| {
        let mut names = BTreeSet::new();
        let scripts = root.tables("script", |script| {
            let name = script.required("name", |value| {
                let name = text(value)?;
                if !runs(&name) {
                    let hint = "it is the file's name alone, in the same letters";
                    return Err(Problem::new(format!("there is no script `{name}` in this folder")).hint(hint));
                }
                if !names.insert(name.clone()) {
                    return Err(Problem::new(format!("the script `{name}` is listed twice")));
                }
                Ok(name)
            });
            let raises = script.list("raises", |value| {
                let raised = text(value)?;
                let parts: Vec<&str> = raised.split(' ').collect();
                match parts[..] {
                    [rule, agreement] if crate::domains::lending::rules::Entry::find(rule).is_some() && !agreement.is_empty() => {
                        // as alerts show it
                        Ok(format!("{rule} {}", agreement.to_ascii_uppercase()))
                    }
                    _ => Err(Problem::new("expected a rule and an agreement number, such as \"R1 FRM0001544\"")),
                }
            });
            if raises.is_none() {
                script.problem(Problem::new("`raises` is missing: a list of alerts, empty for none"));
            }
            let mut alerts: Raised = raises.unwrap_or_default().into_iter().map(|item| item.value).collect();
            alerts.sort();
            name.map(|name| (name, alerts))
        });
        scripts.into_iter().flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_of_the_repository_is_built_in_and_has_its_expectation() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test-events");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "sql"))
            .map(|name| format!("test-events/{name}"))
            .collect();
        files.sort();
        let plan = Plan::new(&[], &[]).unwrap();
        assert_eq!(plan.scripts.iter().map(|script| script.name.clone()).collect::<Vec<_>>(), files);
        assert_eq!(plan.expected.keys().cloned().collect::<Vec<_>>(), files);
    }

    #[test]
    fn scripts_are_read_as_management_studio_saves_them() {
        let utf16: Vec<u8> = [0xfeff].into_iter().chain("PRINT 'é'".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&utf16).as_deref(), Some("PRINT 'é'"));
        assert_eq!(decode("\u{feff}PRINT 1".as_bytes()).as_deref(), Some("PRINT 1"));
        assert_eq!(decode(b"PRINT 1").as_deref(), Some("PRINT 1"));
        assert_eq!(decode(&[0xe9, 0x20]), None);
    }

    #[test]
    fn an_expectation_that_does_not_read_says_where() {
        let read = |source: &str| expectations("e.toml", source, |script| script == "a.sql");
        let a = "[[script]]\nname = \"a.sql\"\nraises = []\n";
        for (source, place) in [
            ("[[script]]\nname = \"a.sql\"\nraises = [\"R9 X\"]\n", "e.toml:3:"),
            ("[[script]]\nname = \"a.sql\"\n", "`raises` is missing"),
            ("[[script]]\nname = \"b.sql\"\nraises = []\n", "e.toml:2:8: `script[0].name`: there is no script `b.sql`"),
            (&format!("{a}{a}"), "e.toml:5:8: `script[1].name`: the script `a.sql` is listed twice"),
        ] {
            let errors = read(source).unwrap_err().to_string();
            assert!(errors.contains(place), "{errors}");
        }
        assert_eq!(read(a).unwrap(), [("a.sql".to_owned(), vec![])]);
        let lower = read("[[script]]\nname = \"a.sql\"\nraises = [\"R1 frm1\"]\n").unwrap();
        assert_eq!(lower, [("a.sql".to_owned(), vec!["R1 FRM1".to_owned()])]);
    }
}
