//! A plan in a file, to be reviewed: what was reviewed is what runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::PlanOptions;
use sequor_planner::plan::{Estimates, PLAN_VERSION, Plan};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::compile::{CompileError, CompileOptions, Compiled};
use super::project::{Project, replace_file};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// A plan with what it was made from: digests of the project's files and of the variables given, no values of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlanFile {
    /// The version of this form.
    version: u32,
    /// The version of the program that made it.
    program: String,
    flow: String,
    select: Vec<String>,
    exclude: Vec<String>,
    in_order: bool,
    environment: Option<String>,
    /// SHA-256 of each file of the project, by its path.
    files: BTreeMap<String, String>,
    /// SHA-256 of each variable given, by its name, with `files` as the salt.
    variables: BTreeMap<String, String>,
    plan: Json,
}

impl PlanFile {
    /// Returns the file of a compiled flow.
    ///
    /// # Errors
    /// A bug: a plan that is no JSON.
    pub fn of(compiled: &Compiled) -> Result<PlanFile> {
        let options = &compiled.options;
        let project = &compiled.loaded.project;
        let files = files(project);
        Ok(PlanFile {
            version: PLAN_VERSION,
            program: env!("CARGO_PKG_VERSION").to_string(),
            flow: compiled.plan.flow.clone(),
            select: options.plan.select.clone(),
            exclude: options.plan.exclude.clone(),
            in_order: options.plan.in_order,
            environment: project.env.clone(),
            variables: variables(&options.variables, &files),
            files,
            plan: json(compiled)?,
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// One that can't be read, or is no plan of this version.
    pub fn read(path: &Path) -> Result<PlanFile> {
        let shown = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|e| wrong(&shown, &format!("can't be read: {e}")))?;
        PlanFile::parse(&shown, &text)
    }

    /// Reads the text of a file. `name`: what messages call it.
    ///
    /// # Errors
    /// What is no plan of this version.
    pub fn parse(name: &str, text: &str) -> Result<PlanFile> {
        let wrong = |what: String| wrong(name, &what);
        let json: Json = serde_json::from_str(text).map_err(|e| wrong(format!("is not JSON: {e}")))?;
        if json.get("plan").is_none() && json.get("root").is_some() {
            return Err(wrong(
                "is what `--format json` shows, not what `--out` wrote".into(),
            ));
        }
        let version = json.get("version").and_then(Json::as_u64);
        if version != Some(u64::from(PLAN_VERSION)) {
            let found = version.map_or("none".to_string(), |version| version.to_string());
            return Err(wrong(format!(
                "has the version {found}, and this program reads {PLAN_VERSION}"
            )));
        }
        let not_ours = |e| wrong(format!("is not one that was written by --out: {e}"));
        let file: PlanFile = serde_json::from_value(json).map_err(not_ours)?;
        // What is no plan is found now, not as a difference from the one that is planned.
        Plan::from_json(file.plan.clone()).map_err(not_ours)?;
        Ok(file)
    }

    /// Returns it as text.
    ///
    /// # Errors
    /// A bug: a plan that is no JSON.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
    }

    /// Returns the flow whose plan it is.
    pub fn flow(&self) -> &str {
        &self.flow
    }

    /// Returns what it was compiled with, and these variables.
    pub fn options(&self, given: IndexMap<String, Value>) -> CompileOptions {
        CompileOptions {
            variables: given,
            plan: PlanOptions {
                select: self.select.clone(),
                exclude: self.exclude.clone(),
                in_order: self.in_order,
            },
        }
    }

    /// Returns what makes that another plan, or another program, would run now; none where nothing does.
    ///
    /// # Errors
    /// A bug: a plan that is no JSON.
    pub fn difference(&self, compiled: &Compiled) -> Result<Option<String>> {
        let project = &compiled.loaded.project;
        let found = self
            .other_program()
            .or_else(|| self.other_environment(project))
            .or_else(|| self.other_variables(&variables(&compiled.options.variables, &self.files)));
        if found.is_some() {
            return Ok(found);
        }
        let mut then = self.plan.clone();
        without_estimates(&mut then);
        if json(compiled)? == then {
            return Ok(None);
        }
        let file = changed("file", &self.files, &files(project));
        Ok(file.or_else(|| Some("what is planned now differs from what was planned then".into())))
    }

    /// Writes a file, as a whole or not at all.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self);
        let text = text.map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        replace_file(path, &text)
    }

    /// Compiles the plan again, from the project as it is now. `given`: the variables of this run.
    ///
    /// # Errors
    /// The project, the environment, the variables or the program changed, so that something else would run; mistakes in the
    /// project's files.
    pub async fn compile(
        &self,
        project: &Arc<Project>,
        given: IndexMap<String, Value>,
    ) -> Result<Compiled, CompileError> {
        let found = self
            .other_program()
            .or_else(|| self.other_environment(project))
            .or_else(|| changed("file", &self.files, &files(project)))
            .or_else(|| self.other_variables(&variables(&given, &self.files)));
        if let Some(found) = found {
            return Err(refused(&found).into());
        }
        let compiled = project.compile(&self.flow, &self.options(given)).await?;
        match self.difference(&compiled)? {
            None => Ok(compiled),
            Some(found) => Err(refused(&found).into()),
        }
    }

    fn other_variables(&self, given: &BTreeMap<String, String>) -> Option<String> {
        let missing = self.variables.keys().find(|name| !given.contains_key(*name));
        match missing {
            Some(name) => Some(format!(
                "it was made with the variable `{name}`: give it again, --var {name}=VALUE"
            )),
            None => changed("variable", &self.variables, given),
        }
    }

    fn other_program(&self) -> Option<String> {
        let now = env!("CARGO_PKG_VERSION");
        (compatible(&self.program) != compatible(now))
            .then(|| format!("it was made by version {}, and this is {now}", self.program))
    }

    fn other_environment(&self, project: &Project) -> Option<String> {
        let shown = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".into());
        (self.environment != project.env).then(|| {
            let (then, now) = (shown(&self.environment), shown(&project.env));
            format!("it was made for the environment {then}, and this is {now}")
        })
    }
}

fn wrong(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Project, format!("the plan {name} {what}"))
        .help("make it: sequor plan FLOW --out FILE")
}

/// The part of a version that says what is compatible: the major, and below 1.0 the minor.
fn compatible(version: &str) -> String {
    let parts: Vec<&str> = version.split('.').collect();
    let count = if parts.first() == Some(&"0") { 2 } else { 1 };
    parts.into_iter().take(count).collect::<Vec<_>>().join(".")
}

fn refused(what: &str) -> Error {
    Error::new(
        ErrorKind::Project,
        format!("the plan is not valid any more: {what}"),
    )
    .help("plan again, and review what changed: sequor plan FLOW --out FILE")
}

/// The first difference between two sets of digests, in words.
fn changed(what: &str, then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<String> {
    let gone = then.keys().find(|name| !now.contains_key(*name));
    let new = now.keys().find(|name| !then.contains_key(*name));
    let other = then
        .iter()
        .find(|(name, digest)| now.get(*name).is_some_and(|now| now != *digest));
    gone.map(|name| format!("{what} `{name}` is not there any more"))
        .or_else(|| new.map(|name| format!("{what} `{name}` was not there")))
        .or_else(|| other.map(|(name, _)| format!("{what} `{name}` changed")))
}

fn files(project: &Project) -> BTreeMap<String, String> {
    let files = &project.files;
    let all = files.project.iter().chain(files.flows.values());
    let all = all.chain(files.sources.values());
    let mut digests: BTreeMap<String, String> = all
        .map(|file| (file.path.to_string(), digest(&[&file.text])))
        .collect();
    // Where the home folder is does not matter.
    if let (Some(name), Some(file)) = (&project.env, &files.environment) {
        digests.insert(format!("envs/{name}.yaml"), digest(&[&file.text]));
    }
    digests
}

fn variables(given: &IndexMap<String, Value>, salt: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let salt: Vec<&str> = salt.values().map(String::as_str).collect();
    let salt = salt.join("");
    given
        .iter()
        .map(|(name, value)| (name.clone(), digest(&[&salt, name, &value.to_text()])))
        .collect()
}

fn digest(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.len().to_le_bytes());
        sha.update(part.as_bytes());
    }
    format!("{:x}", sha.finalize())
}

fn json(compiled: &Compiled) -> Result<Json> {
    let json = serde_json::to_value(compiled.plan.without_secrets());
    json.map_err(|e| Error::new(ErrorKind::Internal, format!("the plan is no JSON: {e}")))
}

/// Takes out what was counted in the databases, and read from them.
fn without_estimates(json: &mut Json) {
    match json {
        Json::Object(entries) => {
            for key in Estimates::KEYS.into_iter().chain(["estimated_start"]) {
                entries.remove(key);
            }
            entries.values_mut().for_each(without_estimates);
        }
        Json::Array(items) => items.iter_mut().for_each(without_estimates),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::compatible;

    #[test]
    fn versions_that_are_compatible() {
        assert_eq!(compatible("0.4.1"), compatible("0.4.9"));
        assert_ne!(compatible("0.4.1"), compatible("0.5.0"));
        assert_eq!(compatible("1.4.1"), compatible("1.5.0"));
        assert_ne!(compatible("1.4.1"), compatible("2.0.0"));
    }
}
