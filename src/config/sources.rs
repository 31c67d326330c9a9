//! Where values come from: flags, our variables, the file, the standard variables, the default. In this order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::running::{FULL_URI, TOKEN, TOKEN_FILE};
use super::settings::{CONFIG, PREFIX, SETTINGS, Setting};
use crate::diagnosis::{quote, without_tokens};
use crate::in_cluster::{HOST_VARIABLE, PORT_VARIABLE, is_service_link};

/// The text of every flag that was given, by setting.
pub type Flags = BTreeMap<&'static str, String>;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `--name`.
    Flag,
    /// A variable.
    Variable(String),
    /// The file.
    File(PathBuf),
    /// Nobody set it.
    Default,
    /// The issuer in the web identity token.
    Issuer,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => f.write_str("flag"),
            Origin::Variable(name) => write!(f, "variable {name}"),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Default => f.write_str("default"),
            Origin::Issuer => f.write_str("the token's issuer"),
        }
    }
}

/// Everything that was given.
#[derive(Debug, Default)]
pub(super) struct Sources {
    flags: Flags,
    variables: BTreeMap<String, String>,
    file: Option<(PathBuf, BTreeMap<String, String>)>,
}

/// The sources, what is wrong with them as a whole, and what deserves a warning.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// What can be looked up.
    pub(super) sources: Sources,
    /// Unreadable file, unknown keys, values that are not text.
    pub(super) errors: Vec<String>,
    /// Unknown `IRSA_SIDECAR_` variables.
    pub(super) warnings: Vec<String>,
}

/// Gathers flags, environment and file.
pub(super) fn gather(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Gathered {
    let mut gathered = Gathered::default();
    gathered.sources.flags = flags;
    for (name, value) in environment {
        gathered.variable(name, value);
    }
    let config = SETTINGS.iter().find(|setting| setting.name == CONFIG);
    if let Some((path, _)) = config.and_then(|setting| gathered.sources.find(setting)) {
        gathered.file(Path::new(&path));
    }
    gathered
}

impl Gathered {
    /// Keeps what can matter; an empty variable is as if unset.
    fn variable(&mut self, name: OsString, value: OsString) {
        let Some(name) = name.to_str().filter(|_| !value.is_empty()) else {
            return;
        };
        let known = is_known(name);
        // A Service called irsa-sidecar has such names.
        if !known && name.starts_with(PREFIX) && !is_service_link(name) {
            self.warnings.push(format!(
                "the variable {name} is not a setting of this program; see irsa-sidecar --help"
            ));
        }
        if known {
            match value.into_string() {
                Ok(value) => drop(self.sources.variables.insert(name.to_owned(), value)),
                Err(_) => self
                    .errors
                    .push(format!("the variable {name} is not UTF-8")),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        match read(path) {
            Ok(entries) => {
                let mut values = BTreeMap::new();
                let mut strange = Vec::new();
                for (key, value) in entries {
                    let Some(setting) = in_file(&key) else {
                        strange.push(key);
                        continue;
                    };
                    match entry(path, setting, &value) {
                        Ok(text) => drop(values.insert(key, text)),
                        Err(error) => self.errors.push(error),
                    }
                }
                self.errors.extend(no_settings(path, &strange));
                self.sources.file = Some((path.to_owned(), values));
            }
            Err(error) => self.errors.push(error),
        }
    }
}

impl Sources {
    /// The value of a setting and where it came from; not the default.
    pub(super) fn find(&self, setting: &Setting) -> Option<(String, Origin)> {
        self.all(setting).into_iter().next()
    }

    /// Every value that is given, best first. Of the standard variables one: AWS has an order of its own for those.
    pub(super) fn all(&self, setting: &Setting) -> Vec<(String, Origin)> {
        let flag = self.flags.get(setting.name);
        let flag = flag.map(|value| (value.clone(), Origin::Flag));
        let file = self.file.as_ref().and_then(|(path, values)| {
            let value = values.get(&setting.key())?;
            Some((value.clone(), Origin::File(path.clone())))
        });
        let own = self.variable(&setting.variable());
        let standard = setting.also.iter().find_map(|name| self.variable(name));
        [flag, own, file, standard].into_iter().flatten().collect()
    }

    /// Whether this switch is on, its value not checked yet.
    pub(super) fn is_on(&self, name: &str) -> bool {
        let setting = super::settings::find(name);
        setting
            .and_then(|setting| self.find(setting))
            .is_some_and(|(value, _)| value.eq_ignore_ascii_case("true"))
    }

    /// Whether it was given as a flag.
    pub(super) fn is_flag(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    /// Whether somebody set it.
    pub(super) fn is_set(&self, name: &str) -> bool {
        super::settings::find(name).is_some_and(|setting| self.find(setting).is_some())
    }

    /// A variable by its own name.
    pub(super) fn variable(&self, name: &str) -> Option<(String, Origin)> {
        self.variables
            .get(name)
            .map(|value| (value.clone(), Origin::Variable(name.to_owned())))
    }
}

/// The proxy's variables, in the spellings and the order in which curl reads them.
pub(super) const PROXY_VARIABLES: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// The hosts that go around the proxy.
pub(super) const NO_PROXY_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

fn is_known(name: &str) -> bool {
    PROXY_VARIABLES.contains(&name)
        || NO_PROXY_VARIABLES.contains(&name)
        || [FULL_URI, TOKEN_FILE, TOKEN, HOST_VARIABLE, PORT_VARIABLE].contains(&name)
        || SETTINGS
            .iter()
            .any(|setting| setting.variable() == name || setting.also.contains(&name))
}

fn read(path: &Path) -> Result<BTreeMap<String, Value>, String> {
    let shown = shown(path);
    let text = text(path).map_err(|error| format!("the file {shown} cannot be read: {error}"))?;
    if text.len() > LARGEST {
        return Err(format!(
            "the file {shown} is larger than any file of settings: more than {} KiB; set --config to the right one",
            LARGEST / 1024
        ));
    }
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    // Without the lines around the error: the path may name a file of secrets by mistake.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
        let error = match is_over_budget(&error) {
            true => "it repeats itself more than settings ever do".to_owned(),
            false => error.to_string(),
        };
        format!("the file {shown} is not a YAML mapping of settings: {error}")
    })
}

/// The library's own words for it are for programmers.
fn is_over_budget(error: &serde_saphyr::Error) -> bool {
    match error {
        serde_saphyr::Error::AliasError { error, .. } => is_over_budget(error),
        error => matches!(error, serde_saphyr::Error::Budget { .. }),
    }
}

/// All settings together are a few KiB.
const LARGEST: usize = 64 * 1024;

/// What it holds, up to one byte more than it may: it can be a pipe that has no end.
fn text(path: &Path) -> io::Result<String> {
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    // Cut in the middle of a character it would be no text, and is too large anyway.
    Ok(match bytes.len() > LARGEST {
        true => String::from_utf8_lossy(&bytes).into_owned(),
        false => String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?,
    })
}

/// The path, which may be a token by mistake.
fn shown(path: &Path) -> String {
    without_tokens(&path.display().to_string())
}

fn in_file(key: &str) -> Option<&'static Setting> {
    let mut settings = SETTINGS.iter().filter(|setting| setting.name != CONFIG);
    settings.find(|setting| setting.key() == key)
}

/// One error for all of them: the file may be another program's.
fn no_settings(path: &Path, keys: &[String]) -> Option<String> {
    const SHOWN: usize = 5;
    let some: Vec<String> = keys
        .iter()
        .take(SHOWN)
        .map(|key| with_likely(key))
        .collect();
    let (shown, some) = (shown(path), some.join(", "));
    match keys.len() {
        0 => None,
        1 => Some(format!(
            "the file {shown} has the key {some}, which is no setting"
        )),
        2..=SHOWN => Some(format!(
            "the file {shown} has the keys {some}, which are no settings"
        )),
        all => Some(format!(
            "the file {shown} has the keys {some} and {} more, which are no settings",
            all - SHOWN
        )),
    }
}

/// The key, and the one that was meant where only its spelling differs: as a flag, as a variable, or in case.
fn with_likely(key: &str) -> String {
    let letters = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let bare = key.strip_prefix(PREFIX).unwrap_or(key);
    let is_meant = |setting: &&Setting| {
        let also = setting
            .also
            .iter()
            .any(|&also| letters(also) == letters(key));
        also || letters(setting.name) == letters(bare)
    };
    let mut settings = SETTINGS.iter().filter(|setting| setting.name != CONFIG);
    match settings.find(is_meant) {
        Some(setting) => format!("{} (did you mean {}?)", quote(key), setting.key()),
        None => quote(key),
    }
}

fn entry(path: &Path, setting: &Setting, value: &Value) -> Result<String, String> {
    let key = setting.key();
    let shown = shown(path);
    // YAML has made another text of it: 0123 is 123, and 1e3 is 1000.
    let number = match value {
        Value::Array(items) => items.iter().any(Value::is_number),
        value => value.is_number(),
    };
    if number {
        return Err(format!(
            "the file {shown}: {key} is a number; write it in quotes"
        ));
    }
    let text = match setting.list {
        true => scalar(value).or_else(|| list(value)),
        false => scalar(value),
    };
    text.ok_or_else(|| match setting.list {
        true => format!("the file {shown}: {key} is neither a value nor a list of values"),
        false => format!("the file {shown}: {key} is not a single value"),
    })
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn list(value: &Value) -> Option<String> {
    let items: Option<Vec<String>> = value.as_array()?.iter().map(scalar).collect();
    Some(items?.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn role() -> &'static Setting {
        super::super::settings::find("role-arn").unwrap()
    }

    fn file(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    }

    #[test]
    fn flag_beats_variable_beats_file_beats_standard_variable() {
        let file = file("roleArn: from-file\n");
        let path = file.path().to_str().unwrap();
        let all = [
            ("AWS_ROLE_ARN", "from-aws"),
            ("IRSA_SIDECAR_CONFIG", path),
            ("IRSA_SIDECAR_ROLE_ARN", "from-variable"),
        ];
        let value = |flags: Flags, variables: &[(&str, &str)]| {
            let gathered = gather(flags, environment(variables));
            assert_eq!(gathered.errors, [""; 0]);
            gathered.sources.find(role()).map(|(value, _)| value)
        };
        let flags = Flags::from([("role-arn", "from-flag".to_owned())]);
        assert_eq!(value(flags, &all).as_deref(), Some("from-flag"));
        assert_eq!(value(Flags::new(), &all).as_deref(), Some("from-variable"));
        assert_eq!(value(Flags::new(), &all[..2]).as_deref(), Some("from-file"));
        assert_eq!(value(Flags::new(), &all[..1]).as_deref(), Some("from-aws"));
        assert_eq!(value(Flags::new(), &[("AWS_ROLE_ARN", "")]), None);
    }

    #[test]
    fn unknown_variables_are_warned_about_and_service_links_are_not() {
        let gathered = gather(
            Flags::new(),
            environment(&[
                ("IRSA_SIDECAR_ROLEARN", "x"),
                ("IRSA_SIDECAR_SERVICE_HOST", "10.0.0.1"),
                ("IRSA_SIDECAR_PORT_9910_TCP_ADDR", "10.0.0.1"),
                ("IRSA_SIDECAR_PORT", "tcp://10.0.0.1:9910"),
                ("UNRELATED", "x"),
            ]),
        );
        assert_eq!(gathered.warnings.len(), 1, "{:?}", gathered.warnings);
        assert!(gathered.warnings[0].contains("IRSA_SIDECAR_ROLEARN"));
    }

    #[test]
    fn lists_switches_and_numbers_of_the_file_are_text_like_any_other() {
        let file = file(
            "authorization: [token, pod-uid]\nuseFipsEndpoint: true\nauthorizationTokenMode: \"0640\"\n",
        );
        let flags = Flags::from([(CONFIG, file.path().to_str().unwrap().to_owned())]);
        let gathered = gather(flags, []);
        assert_eq!(gathered.errors, [""; 0]);
        let value = |name| {
            gathered
                .sources
                .find(super::super::settings::find(name).unwrap())
                .unwrap()
                .0
        };
        assert_eq!(value("authorization"), "token,pod-uid");
        assert_eq!(value("use-fips-endpoint"), "true");
        assert_eq!(value("authorization-token-mode"), "0640");
    }

    #[test]
    fn a_file_of_secrets_named_by_mistake_is_not_repeated() {
        for content in [
            "eyJhbGciOiJSUzI1NiJ9.hunter2.c2ln",
            "a: b\nsecret: hunter2\n  bad: [hunter2\n",
            "- hunter2\n",
            "roleArn: {password: hunter2}\n",
        ] {
            let file = file(content);
            let flags = Flags::from([(CONFIG, file.path().to_str().unwrap().to_owned())]);
            let errors = gather(flags, []).errors;
            assert!(
                !errors.is_empty() && !errors.concat().contains("hunter2"),
                "{errors:?}"
            );
        }
    }

    fn errors_of(content: &str) -> Vec<String> {
        let file = file(content);
        let flags = Flags::from([(CONFIG, file.path().to_str().unwrap().to_owned())]);
        gather(flags, []).errors
    }

    #[test]
    fn a_key_that_is_only_spelled_differently_is_led_back() {
        for (key, meant) in [
            ("roleARN", "roleArn"),
            ("role-arn", "roleArn"),
            ("IRSA_SIDECAR_ROLE_ARN", "roleArn"),
            ("AWS_ROLE_ARN", "roleArn"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "tokenFile"),
            ("usefipsendpoint", "useFipsEndpoint"),
        ] {
            let errors = errors_of(&format!("{key}: x\n"));
            let expected =
                format!("has the key {key:?} (did you mean {meant}?), which is no setting");
            assert!(
                errors.len() == 1 && errors[0].ends_with(&expected),
                "{errors:?}"
            );
        }
        assert!(!errors_of("roleArm: x\n")[0].contains("did you mean"));
    }

    #[test]
    fn another_programs_file_is_one_error() {
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {}\n";
        let errors = errors_of(deployment);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].ends_with(
                r#"has the keys "apiVersion", "kind", "metadata", "spec", which are no settings"#
            ),
            "{errors:?}"
        );
        let many: String = (0..100).map(|n| format!("key{n}: x\n")).collect();
        let errors = errors_of(&many);
        assert!(
            errors.len() == 1 && errors[0].contains(" and 95 more, "),
            "{errors:?}"
        );
    }

    #[test]
    fn a_file_that_is_too_large_or_too_deep_is_refused_in_our_own_words() {
        let aliases = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            text + &format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)
        });
        for (content, words) in [
            ("é".repeat(LARGEST), "more than 64 KiB"),
            (
                format!("roleArn: {}", "x".repeat(1_000_000)),
                "more than 64 KiB",
            ),
            (aliases, "it repeats itself"),
            (
                format!("roleArn: {}", "[".repeat(20_000)),
                "recursion limit exceeded",
            ),
        ] {
            let errors = errors_of(&content);
            assert!(
                errors.len() == 1 && errors[0].contains(words) && errors[0].len() < 300,
                "{errors:?}"
            );
        }
        let endless = gather(Flags::from([(CONFIG, "/dev/zero".to_owned())]), []).errors;
        assert!(endless[0].contains("more than 64 KiB"), "{endless:?}");
        let full = format!("roleArn: x\n{}", "#".repeat(LARGEST - 11));
        assert_eq!(errors_of(&full), [""; 0]);
    }

    #[test]
    fn a_file_with_unknown_keys_or_no_mapping_or_not_there_is_an_error() {
        for content in [
            "roleARN: x\n",
            "config: other\n",
            "- a\n",
            "roleArn: {a: b}\n",
            "roleArn: [a, b]\n",
            "roleArn: a\nroleArn: b\n",
            "eksCluster: [demo, 0123]\n",
            "eksCluster: 1e3\n",
            "\t\n:::",
        ] {
            let file = file(content);
            let flags = Flags::from([(CONFIG, file.path().to_str().unwrap().to_owned())]);
            assert!(!gather(flags, []).errors.is_empty(), "{content:?}");
        }
        let flags = Flags::from([(CONFIG, "/nonexistent".to_owned())]);
        assert!(gather(flags, []).errors[0].contains("/nonexistent"));
    }
}
