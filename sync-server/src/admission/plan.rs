//! What a request's batches come to: everything the transaction will write, decided before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, Hash, StreamId};
use fieldgrid_core::domain::mask::HouseholdView;
use fieldgrid_core::domain::time::Interval;
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::batch::Item;
use fieldgrid_core::wire::verdict::Verdict;

use super::chain::InPlace;
use super::sender::Sender;
use crate::store::{CaseRow, HeldRow, Missing, Origin, StreamKey};

/// Everything to write.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The batches in their places, each with the verdicts on its items.
    pub(super) batches: Vec<(InPlace, Vec<Verdict>)>,
    /// The documents that were judged.
    pub(super) documents: Vec<Judged>,
    /// The facts that are let in.
    pub(super) facts: Vec<FactPlan>,
    /// Facts, and what waited for too long, to keep aside.
    pub(super) aside: Vec<HeldRow>,
    /// What was held back beside its document, and is not any more.
    pub(super) decided: Vec<Released>,
    /// The device whose store was found to be one of two.
    pub(super) forked: Option<(DeviceId, StreamId)>,
}

impl Plan {
    /// Whether nothing is to be written.
    pub(super) const fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.forked.is_none()
    }

    /// The documents that change.
    pub(super) fn changing(&self) -> impl Iterator<Item = &DocPlan> {
        self.documents.iter().filter_map(|judged| judged.change.as_ref())
    }

    /// Items to hold back.
    pub(super) fn held(&self) -> impl Iterator<Item = &HeldRow> {
        self.documents.iter().flat_map(|judged| &judged.held).chain(&self.aside)
    }

    /// Items that waited and need not any more: their verdicts follow.
    pub(super) fn released(&self) -> impl Iterator<Item = &Released> {
        self.documents.iter().flat_map(|judged| &judged.released).chain(&self.decided)
    }
}

/// What the judging of one document came to. It holds as long as the document is as it was read.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) doc: DocId,
    /// Its heads when it was read; none when there was none.
    pub(super) heads: Option<Vec<Hash>>,
    /// What waited in it when it was read.
    pub(super) waited: Vec<i64>,
    /// The verdict on each of its changes in the request.
    pub(super) verdicts: Vec<(At, Verdict)>,
    /// How it changes; none when it stays as it is.
    pub(super) change: Option<DocPlan>,
    /// Changes to hold back.
    pub(super) held: Vec<HeldRow>,
    /// Changes that waited and need not any more.
    pub(super) released: Vec<Released>,
    /// Changes that are not in it, with the item that brought each.
    pub(super) missing: BTreeMap<Hash, (Hash, Missing)>,
    /// Refused actions, each standing for what it had seen.
    pub(super) stands_for: Vec<(ActionId, Vec<ActionId>)>,
}

impl Judged {
    /// A document that stays as it was read.
    pub(super) const fn unchanged(doc: DocId, heads: Option<Vec<Hash>>) -> Self {
        Self {
            doc,
            heads,
            waited: Vec::new(),
            verdicts: Vec::new(),
            change: None,
            held: Vec::new(),
            released: Vec::new(),
            missing: BTreeMap::new(),
            stands_for: Vec::new(),
        }
    }
}

/// Place of an item in what is judged together: (batch, item).
pub(super) type At = (usize, usize);

/// A change that is let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) origin: Origin,
    pub(super) item: Item,
    pub(super) change: Hash,
    pub(super) edit: Hash,
    pub(super) sender: Arc<Sender>,
    /// The actions it brings, with the time they can have been done.
    pub(super) actions: Vec<(ActionId, Interval)>,
}

/// A document that changes.
#[derive(Debug)]
pub(super) struct DocPlan {
    pub(super) doc: DocId,
    pub(super) kind: RecordKind,
    pub(super) heads: Vec<Hash>,
    pub(super) changes: u32,
    pub(super) area: AreaCode,
    /// The device that created it.
    pub(super) author: DeviceId,
    pub(super) admitted: Vec<Admitted>,
    /// The streams it is to be in: it joins those it is not in yet, and leaves the others.
    pub(super) streams: Vec<StreamKey>,
    pub(super) projection: Projection,
}

/// What lists and views show of it.
#[derive(Debug)]
pub(super) enum Projection {
    /// A case; `numbered` when an effective acceptance asks for a number.
    Case {
        row: Box<CaseRow>,
        numbered: bool,
        /// The stream of a reporter who reads only his own, and the reply he gets.
        reporter: Option<(StreamId, Option<String>)>,
    },
    /// A household, as the desk sees it.
    Household(Box<HouseholdView>),
    /// Not to be shown by this version.
    None,
}

/// A fact that is let in.
#[derive(Debug)]
pub(super) struct FactPlan {
    pub(super) origin: Origin,
    pub(super) item: Item,
    pub(super) streams: Vec<Target>,
}

/// Where a fact goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A stream by what it is for.
    Key(StreamKey),
    /// A device's own.
    Own(StreamId),
}

/// An item that waited.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) held: i64,
    /// Where its verdict goes.
    pub(super) stream: StreamId,
    pub(super) origin: Origin,
    pub(super) verdict: Verdict,
}
