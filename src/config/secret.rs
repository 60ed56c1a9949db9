//! Secrets: named in a configuration file, kept elsewhere.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use toml::de::DeValue;

use super::{Problem, Section, Value, text};

/// Where a secret is to be found. It holds no secret, so it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The name of an environment variable.
    Env(String),
    /// A file that holds nothing else; the end of its last line is no part of the secret.
    File(PathBuf),
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    #[error("the environment variable {0} is not set")]
    Unset(String),
    #[error("the environment variable {0} is empty")]
    EmptyVariable(String),
    #[error("the secret file {} is empty", .0.display())]
    EmptyFile(PathBuf),
    #[error("the environment variable {0} is not UTF-8")]
    VariableNotUtf8(String),
    #[error("cannot read the secret file {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

impl Secret {
    /// Reads it, at start-up.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Env(name) => match env::var(name) {
                Ok(secret) if secret.is_empty() => Err(SecretError::EmptyVariable(name.clone())),
                Ok(secret) => Ok(secret),
                Err(env::VarError::NotPresent) => Err(SecretError::Unset(name.clone())),
                Err(env::VarError::NotUnicode(_)) => Err(SecretError::VariableNotUtf8(name.clone())),
            },
            Self::File(path) => {
                let secret = fs::read_to_string(path);
                let secret = secret.map_err(|source| SecretError::Unreadable { path: path.clone(), source })?;
                let secret = secret.strip_suffix('\n').unwrap_or(&secret);
                match secret.strip_suffix('\r').unwrap_or(secret) {
                    "" => Err(SecretError::EmptyFile(path.clone())),
                    secret => Ok(secret.to_owned()),
                }
            }
        }
    }
}

impl SecretError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unset(_) | Self::EmptyVariable(_) => {
                Some("set it for this process, also where the configuration is only checked")
            }
            _ => None,
        }
    }
}

const FORMS: &str = "write { env = \"NAME\" } for an environment variable or { file = \"PATH\" } for a file";

/// `{ env = "NAME" }` or `{ file = "PATH" }`; relative paths count from `folder`.
pub(super) fn secret(section: &mut Section<'_>, key: &str, folder: &Path) -> Option<Secret> {
    if !section.is_table(key) {
        // also where it is missing, which is none; the value is not quoted, it may be the secret
        return section.optional(key, |_| Err(Problem::new("a secret does not stand in the file itself").hint(FORMS)));
    }
    let (env, file) = section.table(key, |section| {
        let (env, file) = (section.optional("env", text), section.optional("file", text));
        if section.has("env") == section.has("file") {
            section.problem(Problem::new(format!("`{}` needs either env or file", section.path())).hint(FORMS));
        }
        (env, file)
    });
    env.map(Secret::Env).or_else(|| file.map(|file| Secret::File(folder.join(file))))
}

/// As [`secret`], of a value among others.
pub(super) fn secret_value(value: Value<'_>, folder: &Path) -> Result<Secret, Problem> {
    let forms = || Problem::new("a secret does not stand in the file itself").hint(FORMS);
    let DeValue::Table(table) = value.0 else { return Err(forms()) };
    let mut entries = table.iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Err(Problem::new("needs either env or file").hint(FORMS));
    };
    let value = text(Value(value.get_ref()))?;
    match key.get_ref().as_ref() {
        "env" => Ok(Secret::Env(value)),
        "file" => Ok(Secret::File(folder.join(value))),
        _ => Err(Problem::new("needs either env or file").hint(FORMS)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn read(toml: &str) -> Result<Option<Secret>, String> {
        parse("t.toml", toml, |root| secret(root, "password", Path::new("/etc"))).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_secret_is_named_and_never_written_down() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("password = { env = \"PASSWORD\" }"), Ok(Some(Secret::Env("PASSWORD".to_owned()))));
        assert_eq!(read("password = { file = \"secret\" }"), Ok(Some(Secret::File("/etc/secret".into()))));
        let error = read("password = \"hunter2\"").unwrap_err();
        assert!(
            error.contains("does not stand in the file") && error.contains("env = ") && !error.contains("hunter2"),
            "{error}"
        );
        for both_or_none in ["password = {}", "password = { env = \"A\", file = \"b\" }"] {
            assert!(read(both_or_none).unwrap_err().contains("either env or file"), "{both_or_none}");
        }
        assert!(read("password = { envv = \"A\" }").unwrap_err().contains("did you mean `env`?"));
    }

    #[test]
    fn a_file_is_read_without_the_end_of_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let secret = || Secret::File(path.clone()).read();
        assert!(matches!(secret(), Err(SecretError::Unreadable { .. })));
        for (text, value) in [("x y", "x y"), ("x y\n", "x y"), ("x\r\n", "x"), (" x\n\n", " x\n")] {
            fs::write(&path, text).unwrap();
            assert_eq!(secret().unwrap(), value);
        }
        for empty in ["", "\n"] {
            fs::write(&path, empty).unwrap();
            assert!(matches!(secret(), Err(SecretError::EmptyFile(_))));
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_told_by_its_name() {
        let error = Secret::Env("TIDEWAITER_TEST_NOWHERE".to_owned()).read().unwrap_err();
        assert_eq!(error.to_string(), "the environment variable TIDEWAITER_TEST_NOWHERE is not set");
        assert!(error.hint().is_some());
        assert!(Secret::Env("PATH".to_owned()).read().is_ok());
    }
}
