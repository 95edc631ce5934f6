//! Looking names up: sources and their kinds, variables that nothing sets.

use std::collections::BTreeSet;

use super::steps::Resolver;
use crate::codes::Code;
use crate::diagnostic::did_you_mean;
use crate::effects::{Effects, Resource};
use crate::expr;
use crate::ops::{TableRef, VariableSet};
use crate::span::Place;
use crate::syntax::{Source, SourceKind};

impl<'a> Resolver<'a> {
    pub(super) fn database(&mut self, table: &TableRef) {
        self.database_named(&table.source, &table.place);
    }

    pub(super) fn database_named(&mut self, name: &str, place: &Place) {
        if let Some(source) = self.source(name, place)
            && source.dialect().is_none()
        {
            let message = format!("source `{name}` is an API, and a database is needed here");
            self.d.error(Code::WrongSourceKind, place.clone(), message);
        }
    }

    pub(super) fn http_source(&mut self, name: &str, place: &Place) -> Option<&'a crate::syntax::HttpSource> {
        let source = self.source(name, place)?;
        match &source.kind {
            SourceKind::Http(http) => Some(http),
            _ => {
                let message = format!("source `{name}` is a database, and an http source is needed here");
                self.d.error(Code::WrongSourceKind, place.clone(), message);
                None
            }
        }
    }

    fn source(&mut self, name: &str, place: &Place) -> Option<&'a Source> {
        match self.names.sources.get(name) {
            // The run says it.
            None if expr::has_template(name) => None,
            Some(source) => {
                self.used.insert(name.to_string());
                Some(source)
            }
            None if self.names.broken_sources.contains(name) => {
                self.used.insert(name.to_string());
                None
            }
            // One step asks for it in several ways.
            None if !self.unknown.insert((name.to_string(), place.line)) => None,
            None => {
                let sources = self.names.sources.keys().map(String::as_str);
                let help = did_you_mean(name, "sources", sources)
                    .unwrap_or_else(|| format!("add sources/{name}.yaml"));
                self.d
                    .error(
                        Code::UnknownSource,
                        place.clone(),
                        format!("no source is named `{name}`"),
                    )
                    .help(help);
                None
            }
        }
    }

    pub(super) fn sets(&mut self, variables: &[VariableSet]) {
        self.opaque_setter |= variables.iter().any(|v| v.many);
        self.set.extend(variables.iter().map(|v| v.name.clone()));
    }

    /// A source that an expression or SQL names: told once, and not again where the step's own key was told.
    fn ask_unknown(&mut self, source: &str, place: &Place) {
        if !self.unknown.iter().any(|(name, _)| name == source) {
            self.source(source, place);
        }
    }

    pub(super) fn ask(&mut self, effects: &Effects, place: &Place) {
        self.set.extend(effects.probed.iter().cloned());
        self.rows.merge(&effects.rows);
        for source in &effects.queried {
            match self.names.sources.contains_key(source) {
                true => self.used.extend([source.clone()]),
                false if self.names.broken_sources.contains(source) => {
                    self.used.insert(source.clone());
                }
                false => self.ask_unknown(source, place),
            }
        }
        let own: BTreeSet<&String> = effects
            .reads
            .iter()
            .filter_map(|resource| match resource {
                Resource::Local { name, .. } => Some(name),
                _ => None,
            })
            .collect();
        // A step that may write any table needs every database open.
        let any = effects.writes.iter().filter(|w| **w == Resource::AnySource);
        for resource in effects.reads.iter().chain(any) {
            match resource {
                // A flow's own variable is set by the flow, or by its caller.
                Resource::Variable(name) if !own.contains(name) => {
                    self.asked.entry(name.clone()).or_insert_with(|| place.clone());
                }
                Resource::Table { source, .. } | Resource::Source(source) => {
                    if self.names.sources.contains_key(source) {
                        self.used.insert(source.clone());
                    } else {
                        self.ask_unknown(source, place);
                    }
                }
                Resource::AnySource => {
                    let databases = self.names.sources.values().filter(|s| s.dialect().is_some());
                    self.used.extend(databases.map(|s| s.name.clone()));
                }
                _ => {}
            }
        }
    }

    /// Returns a variable that nothing sets: a warning, since code may ask `is_var_defined` first.
    pub(super) fn check_variables(&mut self) {
        if self.opaque_setter || !self.names.broken.is_empty() {
            return;
        }
        let mut asked: Vec<(String, Place)> = std::mem::take(&mut self.asked).into_iter().collect();
        asked.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, place) in asked {
            if self.set.contains(&name) || self.names.variables.contains(&name) {
                continue;
            }
            let known = self.set.iter().chain(self.names.variables).map(String::as_str);
            let help = crate::diagnostic::nearest(&name, known).map_or_else(
                || format!("set it in the environment's `variables`, or with `--var {name}=...`"),
                |near| format!("did you mean `{near}`?"),
            );
            self.d
                .warning(
                    Code::UnknownVariable,
                    place,
                    format!("nothing sets the variable `{name}`"),
                )
                .help(help);
        }
    }
}
