//! What a round may cost. Requests and bytes are counted, and what looks like progress and raises no proved position is followed only so often: a server's
//! word that is not signed can always be another one.

/// Most requests without a wait between them. An honest answer brings half a megabyte: this is a hundred of them, and more.
pub const MAX_ASKS: u32 = 256;
/// Most bytes that are received without a wait between them.
pub const MAX_RECEIVED: u64 = 64 << 20;
/// Most requests one after the other that changed nothing: an ended token, a state asked for and a pack named make three.
pub const MAX_FRUITLESS: u32 = 4;
/// Most requests one after the other that raised no proved position. A stream that is read again from its start takes some.
pub const MAX_UNPROVED: u32 = 40;
/// Fewest bytes of a pack that count as having got on with it.
pub const MIN_PIECE: usize = 4 << 10;

/// What was spent since the last wait.
#[derive(Debug, Default)]
pub(super) struct Budget {
    asks: u32,
    received: u64,
    fruitless: u32,
    unproved: u32,
}

/// Why nothing more is asked for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Nothing comes of it.
    Fruitless,
    /// It went well and was enough for now.
    Spent,
}

impl Budget {
    /// One request more.
    pub(super) const fn ask(&mut self) -> Result<(), Over> {
        self.asks += 1;
        self.fruitless += 1;
        self.unproved += 1;
        if self.fruitless > MAX_FRUITLESS || self.unproved > MAX_UNPROVED {
            Err(Over::Fruitless)
        } else if self.asks > MAX_ASKS || self.received > MAX_RECEIVED {
            Err(Over::Spent)
        } else {
            Ok(())
        }
    }

    /// Something came.
    pub(super) const fn received(&mut self, bytes: u64) {
        self.received = self.received.saturating_add(bytes);
    }

    /// Something changed by it.
    pub(super) const fn changed(&mut self) {
        self.fruitless = 0;
    }

    /// A proved position is higher than it ever was.
    pub(super) const fn rose(&mut self) {
        self.fruitless = 0;
        self.unproved = 0;
    }
}
