//! What runs that are under way write, so that two of them do not write the same.

use sequor_planner::effects::Resource;
use uuid::Uuid;

use super::home::{Durability, Statement, Written};
use super::owner::{Owner, SILENCE};
use super::runs::{BEAT, shown};
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};

/// Another run that writes the same.
#[derive(Debug, Clone)]
pub struct Holder {
    pub run: String,
    pub flow: String,
    /// Since when, in UTC.
    pub since: String,
    /// What both write, in words.
    pub what: String,
    /// Whether they may meet, and need not: what one of them writes is known only when it runs.
    pub may_meet: bool,
}

/// A run that holds a lock.
struct Held {
    holder: Holder,
    /// Its last sign of life, where that is so old, or so far ahead, that it may be gone; nothing else tells.
    life: Option<Life>,
}

/// A run, and when it gave a sign of life.
type Life = (String, i64);

/// How often two that lock at the same time try.
const ATTEMPTS: usize = 50;

impl Store {
    /// Locks what a run writes. Another run that writes the same, where there is one: then nothing is locked.
    ///
    /// # Errors
    /// A state that can't be read or written.
    pub async fn lock(
        &self,
        run: Uuid,
        flow: &str,
        owner: &Owner,
        writes: &[Resource],
    ) -> Result<Option<Holder>> {
        let internal = |e: serde_json::Error| Error::new(ErrorKind::Internal, e.to_string());
        let own = serde_json::to_string(writes).map_err(internal)?;
        let mut dead = Vec::new();
        for _ in 0..ATTEMPTS {
            let version = self.lock_version().await?;
            let (holder, gone) = self.holder((run, owner), writes, &dead).await?;
            match holder {
                Some(Held { holder, life: None }) => return Ok(Some(holder)),
                Some(Held { life: Some(life), .. }) => {
                    // Clocks jump, and machines sleep: one that lives gives its next sign now.
                    tokio::time::sleep(BEAT + BEAT / 2).await;
                    dead.push(life);
                    continue;
                }
                None => {}
            }
            let turn = Statement::new(
                "UPDATE @meta SET value = $1 WHERE key = 'locks' AND value = $2",
                [(version + 1).to_string().into(), version.to_string().into()],
            );
            let mut statements = vec![turn.guarding()];
            for run in gone {
                statements.push(Statement::new("DELETE FROM @locks WHERE run = $1", [run.into()]));
            }
            statements.push(Statement::new(
                "INSERT INTO @locks (run, project, flow, since, owner, beat, writes) VALUES ($1, $2, $3, $4, $5, @now, $6)",
                [
                    run.to_string().into(),
                    (&*self.project).into(),
                    flow.into(),
                    shown(chrono::Utc::now()).into(),
                    serde_json::to_string(owner).map_err(internal)?.into(),
                    own.as_str().into(),
                ],
            ));
            // Who was first is looked at anew by the other.
            if let Written::All(_) = self.write("lock", &statements, Durability::Process).await? {
                return Ok(None);
            }
        }
        Err(Error::new(
            ErrorKind::State,
            "the locks of runs change all the time",
        ))
    }

    async fn lock_version(&self) -> Result<u64> {
        let sql = "SELECT value FROM @meta WHERE key = 'locks'";
        if let Some(row) = self.read(sql, vec![]).await?.first() {
            return Ok(row[0].text().parse().unwrap_or_default());
        }
        let first = Statement::new(
            "INSERT INTO @meta (key, value) VALUES ('locks', '0') ON CONFLICT (key) DO NOTHING",
            [],
        );
        self.write("lock", &[first], Durability::Process).await.map(|_| 0)
    }

    /// The run that writes the same, and those whose processes are gone. `dead`: signs of life that were the last.
    async fn holder(
        &self,
        (run, own): (Uuid, &Owner),
        writes: &[Resource],
        dead: &[Life],
    ) -> Result<(Option<Held>, Vec<String>)> {
        let sql =
            "SELECT run, flow, since, owner, beat, writes, @now FROM @locks WHERE project = $1 ORDER BY run";
        let mut gone = Vec::new();
        let mut found: Option<Held> = None;
        for row in self.read(sql, vec![(&*self.project).into()]).await? {
            let owner: Option<Owner> = serde_json::from_str(row[3].text()).ok();
            let silent = (row[6].int() - row[4].int()).abs() > SILENCE;
            let life: Life = (row[0].text().to_string(), row[4].int());
            let is_gone = owner.as_ref().and_then(Owner::is_gone);
            // An earlier attempt of this very process is over.
            let is_own = row[0].text() == run.to_string() && owner.as_ref() == Some(own);
            if is_own || is_gone.unwrap_or(silent && dead.contains(&life)) {
                gone.push(row[0].text().to_string());
                continue;
            }
            let life = (silent && is_gone.is_none()).then_some(life);
            if row[0].text() == run.to_string() {
                // Another program goes on with the same run.
                let holder = held(&row, "the same tables".into(), false);
                return Ok((Some(Held { holder, life }), gone));
            }
            let theirs: Vec<Resource> = serde_json::from_str(row[5].text()).unwrap_or_default();
            for (mine, other) in pairs(writes, &theirs) {
                let may_meet = is_open(mine) || is_open(other);
                // What is sure counts more than what may be.
                if found
                    .as_ref()
                    .is_some_and(|found| !found.holder.may_meet || may_meet)
                {
                    continue;
                }
                let what = if is_open(mine) { other } else { mine };
                let (holder, life) = (held(&row, what.to_string(), may_meet), life.clone());
                found = Some(Held { holder, life });
            }
        }
        Ok((found, gone))
    }

    /// Returns what takes back the locks of a run.
    pub(super) fn unlocked(run: Uuid) -> Statement {
        Statement::new("DELETE FROM @locks WHERE run = $1", [run.to_string().into()])
    }

    /// Takes back the locks of a run that did not begin.
    ///
    /// # Errors
    /// A state that can't be written.
    pub async fn unlock(&self, run: Uuid) -> Result<()> {
        self.write("lock", &[Store::unlocked(run)], Durability::Process)
            .await
            .map(|_| ())
    }
}

fn held(row: &super::Record, what: String, may_meet: bool) -> Holder {
    Holder {
        run: row[0].text().to_string(),
        flow: row[1].text().to_string(),
        since: row[2].text().to_string(),
        what,
        may_meet,
    }
}

/// What both write.
fn pairs<'r>(
    mine: &'r [Resource],
    theirs: &'r [Resource],
) -> impl Iterator<Item = (&'r Resource, &'r Resource)> {
    mine.iter().flat_map(move |mine| {
        let same = theirs.iter().filter(move |other| mine.overlaps(other));
        same.map(move |other| (mine, other))
    })
}

/// Whether what is written is known only when it is.
fn is_open(resource: &Resource) -> bool {
    matches!(
        resource,
        Resource::Source(_) | Resource::AnySource | Resource::AnyVariable
    )
}
