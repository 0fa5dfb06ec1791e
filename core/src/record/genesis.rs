//! Genesis: the change that creates a record's containers, the same for every record of a kind. Fixed actor, time 0, no data, never sent.
//!
//! A second schema of a kind would be a second genesis under a new [`RecordKind`]; this one is pinned by a test and never changes.

use std::sync::LazyLock;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT};

use super::RecordKind;

/// Where a value stands. Everything but the root was created by genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Container {
    /// The root map.
    Root,
    /// A case's actions.
    Actions,
    /// A household's fields.
    Fields,
    /// A household's persons.
    Persons,
}

/// Genesis' actor: sixteen zero bytes, which no random incarnation is.
pub(super) const ACTOR: [u8; 16] = [0; 16];

/// A kind's containers in the order in which its genesis creates them: the n-th has the object id `n@00000000000000000000000000000000`, from 1.
const fn containers(kind: RecordKind) -> &'static [(&'static str, Container)] {
    match kind {
        RecordKind::Case => &[("actions", Container::Actions)],
        RecordKind::Household => &[("fields", Container::Fields), ("persons", Container::Persons)],
        RecordKind::Other(_) => &[],
    }
}

impl Container {
    /// The container with this operation counter in the kind's genesis.
    pub(super) fn created_as(kind: RecordKind, counter: u64) -> Option<Self> {
        let index = usize::try_from(counter.checked_sub(1)?).ok()?;
        containers(kind).get(index).map(|(_, container)| *container)
    }

    /// Its object id.
    pub(super) fn object(self) -> ObjId {
        let counter = match self {
            Self::Root => return ROOT,
            Self::Actions | Self::Fields => 1,
            Self::Persons => 2,
        };
        // All zeros sorts first, so its index among a document's actors is 0.
        ObjId::Id(counter, ActorId::from(ACTOR), 0)
    }
}

/// The document of genesis alone; `None` for a kind of a newer version.
pub(super) fn document(kind: RecordKind) -> Option<&'static Automerge> {
    static CASE: LazyLock<Automerge> = LazyLock::new(|| create(RecordKind::Case));
    static HOUSEHOLD: LazyLock<Automerge> = LazyLock::new(|| create(RecordKind::Household));
    match kind {
        RecordKind::Case => Some(&CASE),
        RecordKind::Household => Some(&HOUSEHOLD),
        RecordKind::Other(_) => None,
    }
}

/// The number of its last operation.
pub(super) const fn last_op(kind: RecordKind) -> u64 {
    containers(kind).len() as u64
}

fn create(kind: RecordKind) -> Automerge {
    let mut doc = Automerge::new().with_actor(ActorId::from(ACTOR));
    let mut transaction = doc.transaction();
    for (name, _) in containers(kind) {
        transaction.put_object(ROOT, *name, ObjType::Map).expect("an empty map takes a key");
    }
    transaction.commit_with(CommitOptions::default().with_time(0));
    doc
}
