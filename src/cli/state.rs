//! The project's state, as several commands read it.

use sequor_planner::Diagnostics;

use super::context::Context;
use crate::engine::{Loaded, Store};
use crate::error::{Error, ErrorKind, Result};

/// Opens the project's state.
pub async fn open(context: &Context) -> Result<(Loaded, Store)> {
    let project = context.project()?;
    let mut d = Diagnostics::default();
    let Some(loaded) = project.load(Default::default(), &mut d)? else {
        context.show(&d.into_sorted(), &project.files);
        let error = Error::new(
            ErrorKind::Project,
            "project.yaml can't be read: its state is not found",
        );
        return Err(error);
    };
    let loaded = loaded.connected().await?;
    let store = loaded.open_state().await?;
    Ok((loaded, store))
}

/// Returns the part of a run's id that commands take, and that no other run of the same millisecond has.
pub fn short(run: &uuid::Uuid) -> String {
    /// What a UUID of version 7 says of the time.
    const TIME: usize = 13;
    run.to_string().chars().take(TIME).collect()
}
