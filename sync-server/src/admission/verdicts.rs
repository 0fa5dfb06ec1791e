//! What devices are told of their batches.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use fieldgrid_core::domain::fact::{Body, Fact, FactKind};
use fieldgrid_core::domain::id::StreamId;
use fieldgrid_core::domain::server_fact::Instruction;
use fieldgrid_core::wire::batch::Item;
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::verdict::{BatchVerdict, Exception, Verdict};

use super::Counts;
use super::apply::Applying;
use super::plan::Plan;
use crate::store::{BatchRow, Origin, Read, Result, Standing, StoreError};

/// The verdict that an entry holds.
pub(crate) fn stored_verdict(read: &dyn Read, entry: i64) -> Result<BatchVerdict> {
    let damaged = StoreError::Damaged("verdict");
    let Entry::Fact(Fact { body: Body::Held(body), .. }) = read.entry(entry)? else { return Err(damaged) };
    minicbor::decode(&body).map_err(|_| damaged)
}

impl Applying<'_> {
    /// A verdict for each batch, also for those that waited; and what the verdicts keep for later.
    pub(super) fn verdicts(&mut self, plan: &Plan) -> Result<Counts> {
        let mut counts = Counts::default();
        for (placed, verdicts) in &plan.batches {
            let (batch, header) = (&placed.batch, &placed.batch.header);
            let exceptions = exceptions(verdicts);
            let refused = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Refused(_) | Verdict::Stranded(_))).count() as u64;
            counts.refused += refused;
            counts.held += verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Waiting(_) | Verdict::Quarantined)).count() as u64;
            counts.accepted += verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Accepted)).count() as u64;
            if refused > 0 {
                self.tx.add_refused(placed.sender.device, refused)?;
            }
            let received_ms = placed.sender.received_ms;
            let said = BatchVerdict { incarnation: header.incarnation, seq: header.seq, batch: batch.hash(), received_ms, exceptions };
            let entry = self.state(FactKind::Verdict, None, &said, &[placed.sender.stream])?;
            // Only now: it closes the life before, whose last batches may have come in the same request.
            if placed.opens {
                self.tx.open_incarnation(header.incarnation, placed.sender.device)?;
            }
            self.tx.insert_batch(&BatchRow {
                incarnation: header.incarnation,
                seq: header.seq,
                hash: batch.hash(),
                header: batch.header_bytes().to_vec(),
                signature: batch.signature,
                items: batch.items.iter().map(Item::hash).collect(),
                verdict: entry,
                received_ms,
            })?;
        }
        for held in plan.held() {
            self.tx.insert_held(held)?;
        }
        self.released(plan)?;
        if let Some((device, stream)) = plan.forked
            && self.tx.device(device)?.is_some_and(|device| device.standing == Standing::Active)
        {
            self.tx.set_standing(device, Standing::ReportOnly)?;
            self.state(FactKind::Instruction, None, &Instruction::ReportOnly, &[stream])?;
        }
        Ok(counts)
    }

    /// The verdicts on what waited: each batch's whole verdict again, with what is decided now.
    fn released(&mut self, plan: &Plan) -> Result<()> {
        let mut batches: BTreeMap<(StreamId, [u8; 16], u64), BatchVerdict> = BTreeMap::new();
        for item in plan.released() {
            self.tx.delete_held(item.held)?;
            let Origin { incarnation, seq, .. } = item.origin;
            let said = match batches.entry((item.stream, *incarnation.as_bytes(), seq)) {
                Slot::Occupied(said) => said.into_mut(),
                // As it stands in this transaction: another item of the batch may have been released meanwhile.
                Slot::Vacant(slot) => {
                    let batch = self.tx.batch(incarnation, seq)?.ok_or(StoreError::Damaged("batch"))?;
                    slot.insert(stored_verdict(self.tx, batch.verdict)?)
                }
            };
            said.exceptions.retain(|exception| exception.item != item.origin.item);
            if item.verdict != Verdict::Accepted {
                said.exceptions.push(Exception { item: item.origin.item, verdict: item.verdict.clone() });
                said.exceptions.sort_by_key(|exception| exception.item);
            }
        }
        for ((stream, ..), said) in batches {
            let entry = self.state(FactKind::Verdict, None, &said, &[stream])?;
            self.tx.set_verdict(said.incarnation, said.seq, entry)?;
        }
        Ok(())
    }
}

fn exceptions(verdicts: &[Verdict]) -> Vec<Exception> {
    let numbered = (0_u32..).zip(verdicts).filter(|(_, verdict)| **verdict != Verdict::Accepted);
    numbered.map(|(item, verdict)| Exception { item, verdict: verdict.clone() }).collect()
}
