//! Why one step waits for another, in words.

use super::history::{holds_back, orders};
use crate::effects::Resource;
use crate::plan::AskedEdge;
use crate::plan::Step;
use crate::servers::Servers;

/// Returns why step `to` waits for step `from`.
pub fn reasons(
    steps: &[Step],
    extra: &[AskedEdge],
    servers: &Servers,
    from: usize,
    to: usize,
) -> Vec<String> {
    let given = extra.iter().filter(|e| (e.from, e.to) == (from, to));
    let mut reasons: Vec<String> = given.map(|e| e.reason.clone()).collect();
    let (earlier, later) = (&steps[from], &steps[to]);
    conflicts(earlier, later, servers, &mut reasons);
    if reasons.is_empty() {
        let id = &earlier.id;
        reasons.push(match (&earlier.barrier, &later.barrier) {
            (Some(why), _) => format!("comes after {id}, which {why}"),
            (None, Some(why)) => format!("{why}, so {id} must be done"),
            (None, None) => format!("comes after {id}"),
        });
    }
    reasons
}

fn conflicts(earlier: &Step, later: &Step, servers: &Servers, reasons: &mut Vec<String>) {
    // One reason for each thing is enough.
    let mut told = Vec::new();
    let mut pairs = |a: &[Resource], b: &[Resource], say: &dyn Fn(&Resource) -> Option<String>| {
        for resource in b {
            if !told.contains(resource)
                && a.iter()
                    .any(|r| servers.canonical(r).overlaps(&servers.canonical(resource)))
                && let Some(reason) = say(resource)
            {
                told.push(resource.clone());
                reasons.push(reason);
            }
        }
    };
    let id = &earlier.id;
    pairs(&earlier.writes, &later.reads, &|r| match r {
        Resource::Console => None,
        Resource::Api(_) | Resource::AnyApi => Some(format!("asks {r} after {id} changed it")),
        _ => Some(format!("reads {r}, written by {id}")),
    });
    pairs(&earlier.writes, &later.writes, &|r| match r {
        Resource::Api(_) | Resource::AnyApi => Some(format!("changes {r} after {id} did")),
        _ if orders(r) && !(holds_back(earlier) && holds_back(later)) => {
            Some(format!("writes {r} after {id} did"))
        }
        _ => None,
    });
    pairs(&earlier.reads, &later.writes, &|r| match r {
        Resource::Api(_) | Resource::AnyApi => Some(format!("changes {r} after {id} asked it")),
        _ if orders(r) && !holds_back(later) => Some(format!("writes {r} after {id} read it")),
        _ => None,
    });
}
