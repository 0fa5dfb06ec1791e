//! A run of bytes as a run of choices, so that a fuzzer can steer what happens.

/// Choices, one after the other. When the bytes are used up, every choice is the first.
#[derive(Debug, Clone)]
pub struct Script {
    bytes: Vec<u8>,
    at: usize,
}

impl Script {
    /// The choices that some bytes make.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0 }
    }

    /// Whether all choices are made.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        byte
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { usize::from(self.byte()) % bound }
    }

    /// One of these.
    pub fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// A number that is likely to be somebody's edge.
    pub fn number(&mut self, near: u64) -> u64 {
        let edges = [0, 1, near, near.saturating_sub(1), near + 1, near + 256, 1 << 32, u64::MAX >> 1, u64::MAX];
        self.one_of(&edges)
    }

    /// Sixteen or thirty-two bytes of somebody's or nobody's.
    pub fn hash<const N: usize>(&mut self, known: [u8; N]) -> [u8; N] {
        match self.below(3) {
            0 => known,
            1 => [0; N],
            _ => [self.byte(); N],
        }
    }
}
