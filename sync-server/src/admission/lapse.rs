//! What waits for something that does not come. It is never refused for that: after a time a person decides.

use fieldgrid_core::domain::id::StreamId;
use fieldgrid_core::env::Environment;
use fieldgrid_core::wire::verdict::Verdict;

use super::apply;
use super::plan::{Plan, Released};
use crate::store::{HeldRow, Result, StoreError, Why, Write};

/// How long a change waits: longer than a phone is out of reach, or a bundle on its way.
const WAITS_MS: i64 = 30 * 86_400_000;
/// Items of one transaction.
const AT_ONCE: usize = 100;

/// Keeps what has waited for too long aside for an administrator. Gives how much of it, at most a hundred items, and the streams that grew.
pub(crate) fn lapse(tx: &mut dyn Write, env: &dyn Environment) -> Result<(usize, Vec<StreamId>)> {
    let mut plan = Plan::default();
    for held in tx.waiting_since(env.wall_ms().saturating_sub(WAITS_MS), AT_ONCE)? {
        let stream = tx.device(held.device)?.ok_or(StoreError::Damaged("device"))?.stream;
        plan.decided.push(Released { held: held.id, stream, origin: held.origin, verdict: Verdict::Quarantined });
        plan.aside.push(HeldRow { id: 0, why: Why::Quarantined, missing: None, ..held });
    }
    let applied = apply::apply(tx, env, &plan)?;
    Ok((plan.decided.len(), applied.bumped))
}
