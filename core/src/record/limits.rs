//! Limits of a record. Checked before anything is parsed or allocated; a phone writes within them, so only a hostile or broken one meets them.

/// Longest raw change chunk, bytes.
pub const MAX_CHANGE: usize = 64 << 10;
/// Most operations in one change.
pub const MAX_OPS: u64 = 2_000;
/// Most changes in one document.
pub const MAX_CHANGES_PER_RECORD: usize = 4_000;
/// Most actors in one document.
pub const MAX_ACTORS_PER_RECORD: usize = 400;
/// Most bytes of raw changes in one document: whoever joins a stream gets it in one entry.
pub const MAX_RECORD: usize = 1 << 20;
/// Most operations in one document: Automerge takes some 300 bytes for each.
pub const MAX_OPS_PER_RECORD: u64 = 100_000;
/// Most actions in one change.
pub const MAX_ACTIONS_PER_CHANGE: usize = 16;
/// Most actions in one case: every one is judged against the others.
pub const MAX_ACTIONS_PER_CASE: usize = 1_000;
/// Most changes that one change depends on: each is another actor's last. Also most actors that it names.
pub const MAX_DEPS: usize = MAX_ACTORS_PER_RECORD + 1;
/// Highest operation number that a change starts at: twice what a full record reaches. Near 2³² Automerge panics on every later edit.
pub const MAX_START_OP: u64 = 2 * MAX_CHANGES_PER_RECORD as u64 * MAX_OPS;
/// Longest value under one key, bytes: an action, a base, a text.
pub const MAX_VALUE: usize = 16 << 10;
/// Longest key, bytes: a person's UUID, a dot and a field name.
pub const MAX_KEY: usize = 160;
/// Most fields in one base.
pub const MAX_FIELDS: usize = 100;
/// Longest field name, bytes: `tag.` and twenty characters of up to four bytes.
pub const MAX_FIELD_NAME: usize = 84;
/// Longest text of a field that this version does not know, characters.
pub const MAX_UNKNOWN_TEXT: usize = 2_000;
