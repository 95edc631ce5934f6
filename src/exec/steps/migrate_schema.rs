//! `migrate_schema`: a table gets the columns that the rows of another table list.

use sequor_planner::ops::MigrateSchema;

use crate::error::{Error, ErrorKind, Result};
use crate::exec::context::StepContext;
use crate::exec::load::columns::{named_as_there, specs, typed};
use crate::exec::load::table::table_name;
use crate::exec::tables::collect;
use crate::value::Value;
use sequor_planner::ops::WriteMode;

/// Adds missing columns to the target and drops others; the rows stay. A missing target is created.
pub async fn run(context: &StepContext, step: &MigrateSchema) -> Result<()> {
    let listing = table_name(context, &step.columns).await?;
    let rows = context.database(&step.columns.source).await?.scan(&listing).await;
    let rows = collect(rows.map_err(|e| e.at(&step.columns.place))?).await?;
    if rows.is_empty() {
        let message = format!("table `{listing}` lists no columns: the target would lose all of its own");
        return Err(Error::new(ErrorKind::Data, message).at(&step.columns.place));
    }
    let database = context.database(&step.target.source).await?;
    let list = Value::list(rows.into_iter().map(Value::Row).collect());
    let at = |e: Error| e.context(format!("table `{listing}`")).at(&step.columns.place);
    let listed = specs(&list).map_err(at)?;
    let mut wanted = typed(&*database, &listed).map_err(at)?;
    let target = table_name(context, &step.target).await?;
    let there = database.columns(&target).await?;
    let given: Vec<String> = listed.into_iter().map(|spec| spec.name).collect();
    if there.is_some() {
        let place = (&*database, &target);
        named_as_there(place, &given, &mut wanted, there.as_deref(), &context.emitter()).await?;
    }
    let result = match there {
        None => {
            let load = database.begin_load(&target, &wanted, WriteMode::Replace).await?;
            load.commit().await.map(|_| ())
        }
        Some(there) => {
            for column in &wanted {
                let known = there.iter().find(|t| t.name == column.name);
                let (new, old) = (&column.column_type, known.map(|k| &k.column_type));
                if let Some(old) = old.filter(|old| (&old.arrow, old.logical) != (&new.arrow, new.logical)) {
                    let message = format!(
                        "table `{target}`: column `{}` stays {}, `{listing}` lists it as {}",
                        column.name,
                        old.sql.to_lowercase(),
                        new.sql.to_lowercase()
                    );
                    context.warn(message).await;
                }
            }
            let add: Vec<_> = wanted
                .iter()
                .filter(|w| !there.iter().any(|t| t.name == w.name))
                .cloned()
                .collect();
            let gone = there.iter().filter(|t| !wanted.iter().any(|w| w.name == t.name));
            let gone: Vec<String> = gone.map(|t| t.name.clone()).collect();
            match add.is_empty() && gone.is_empty() {
                true => Ok(()),
                false => database.alter(&target, &add, &gone).await,
            }
        }
    };
    result.map_err(|e| e.context(format!("table `{target}`")).at(&step.target.place))
}
