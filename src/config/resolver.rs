//! Looks settings up, one by one, and keeps what is wrong with them until all were looked at.

use std::ffi::OsString;

use super::doubts::doubt;
use super::settings::{self, Setting};
use super::sources::{Flags, Gathered, Origin, Sources, gather};
use super::{ConfigErrors, Reported};
use crate::diagnosis::{Diagnosis, has_token, refused, without_tokens};

pub(super) struct Resolver {
    pub(super) sources: Sources,
    /// Whether the EKS API will be asked; STS always is.
    pub(super) asks_eks: bool,
    /// Settings whose flags are for something else here.
    pub(super) not_flags: &'static [&'static str],
    pub(super) errors: Vec<String>,
    /// Of those errors, the settings that nobody made.
    pub(super) missing: Vec<&'static str>,
    pub(super) warnings: Vec<Diagnosis>,
    pub(super) report: Vec<Reported>,
}

impl Resolver {
    pub(super) fn new(
        flags: Flags,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let Gathered {
            sources,
            errors,
            warnings,
        } = gather(flags, environment);
        Resolver {
            sources,
            asks_eks: false,
            not_flags: &[],
            errors,
            missing: Vec::new(),
            warnings: warnings.into_iter().map(doubt).collect(),
            report: Vec::new(),
        }
    }

    pub(super) fn finish<T>(self, resolved: Option<T>) -> Result<T, ConfigErrors> {
        resolved
            .filter(|_| self.errors.is_empty())
            .ok_or(ConfigErrors(self.errors))
    }

    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let before = self.errors.len();
        let value = self.get(name, parse);
        if value.is_none() && self.errors.len() == before {
            self.missing(name, "not set");
        }
        value
    }

    pub(super) fn missing(&mut self, name: &'static str, reason: &str) {
        if let Some(setting) = settings::find(name) {
            let places = self.places(setting);
            self.missing.push(name);
            self.errors.push(format!("{name}: {reason}; set {places}"));
        }
    }

    fn places(&self, setting: &Setting) -> String {
        setting.places(!self.not_flags.contains(&setting.name))
    }

    pub(super) fn report(&mut self, name: &str, value: String, origin: Origin) {
        self.report.push(Reported {
            name: name.to_owned(),
            value: without_tokens(&value),
            origin,
        });
    }

    /// The value of a setting, or its default; an error is noted and named after its origin.
    pub(super) fn get<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let setting = settings::find(name)?;
        let (value, origin) = match self.sources.find(setting) {
            Some(found) => found,
            None => match setting.default {
                Some(default) => (default.to_owned(), Origin::Default),
                None => {
                    self.report(name, setting.otherwise.to_owned(), Origin::Default);
                    return None;
                }
            },
        };
        let parsed = match has_token(&value) {
            true => Err("no setting is a token itself".to_owned()),
            false => parse(&value),
        };
        match parsed {
            Ok(parsed) => {
                self.report(name, value, origin);
                Some(parsed)
            }
            Err(error) => {
                let value = refused(&value);
                let places = self.places(setting);
                self.errors.push(format!(
                    "{name} is {value} ({origin}): {error}; set {places}"
                ));
                None
            }
        }
    }
}
