//! `sequor test new`.

use std::path::{Path, PathBuf};

use sequor_planner::Diagnostics;

use super::args::TestNew;
use super::context::{Context, overrides, tally};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::event::TestOutcome;
use crate::report::{self, SourceText};
use crate::testing::{Made, NewTest, new_test};

/// Makes a test of a recording.
pub async fn make(context: &Context, args: &TestNew) -> Result<Exit> {
    let project = context.project()?;
    let mut d = Diagnostics::default();
    let loaded = project.load(Default::default(), &mut d)?;
    let failed = d.has_errors();
    let found = d.into_sorted();
    let Some(loaded) = loaded.filter(|_| !failed) else {
        context.show(&found, &project.files);
        report::err(tally(&found));
        return Ok(Exit::Wrong);
    };
    let flows: Vec<&String> = project.files.flows.keys().collect();
    let flow = match (&args.flow, flows.as_slice()) {
        (Some(flow), _) => flow.clone(),
        (None, [only]) => (*only).clone(),
        (None, _) => {
            return Err(Error::new(
                ErrorKind::Project,
                "the project has several flows: --flow says which was recorded",
            ));
        }
    };
    let name = args
        .name
        .trim_start_matches("tests/")
        .trim_end_matches(".yaml")
        .to_string();
    if name.is_empty() || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Error::new(
            ErrorKind::Project,
            format!("`{}` can't be the name of a test", args.name),
        ));
    }
    let new = NewTest {
        name,
        flow,
        recording: inside(&args.from, project.folder())?,
        variables: overrides(&args.variables)?,
        now: args.now.clone(),
        sample: args.sample,
    };
    let place = sequor_planner::Place::default();
    match new_test(&loaded.connected().await?, &new).await? {
        Made::Files(files) => {
            report::out(format!(
                "Made {}.\nRun it: sequor test {}",
                files.join(", "),
                new.name
            ));
            Ok(Exit::Done)
        }
        Made::Failed(failures) => {
            let outcome = TestOutcome {
                file: new.name.clone(),
                test: "from the recording".into(),
                flow: new.flow.clone(),
                passed: false,
                seconds: 0.0,
                failures,
                place,
            };
            let source = SourceText::new(&project.files, false, true);
            report::err(report::test_failures(&outcome, &source, context.color));
            report::err(
                "\nno test was made: the flow does not run from the recording as it did when it was made",
            );
            Ok(Exit::Failed)
        }
    }
}

/// The path of a folder below the project's.
fn inside(folder: &Path, project: &Path) -> Result<PathBuf> {
    let absolute = |path: &Path| {
        std::fs::canonicalize(path).map_err(|_| {
            Error::new(
                ErrorKind::Project,
                format!("there is no folder {}", path.display()),
            )
        })
    };
    let (from, root) = (absolute(folder)?, absolute(project)?);
    from.strip_prefix(&root).map(Path::to_path_buf).map_err(|_| {
        let message = format!("{} is not in the project's folder", folder.display());
        Error::new(ErrorKind::Project, message)
            .help("move it there, for example to recordings/: a test goes with what it needs")
    })
}
