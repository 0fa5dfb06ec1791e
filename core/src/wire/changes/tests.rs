use std::sync::LazyLock;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, ObjType, ROOT};
use proptest::prelude::*;

use super::*;
use crate::domain::id::ActionId;

const LIMIT: usize = 1 << 20;

fn unpack(packed: &[u8], bytes: usize) -> Result<Run, WireError> {
    super::unpack(packed, Most { bytes, changes: 1 << 18, rows: 1 << 18 })
}

/// Changes as records make them: actions under their own ids, bases under UUIDs, single fields; two authors, one on the other's work.
fn real_changes(saves: usize) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for save in 0..saves {
        let mut doc = AutoCommit::new().with_actor(ActorId::from([1; 16]));
        let map = doc.put_object(ROOT, "actions", ObjType::Map).unwrap();
        commit(&mut doc, 0);
        let mut seen = ActionId::of(b"outside");
        for step in 0..3 {
            doc.set_actor(ActorId::from([2 + (step % 2) as u8; 16]));
            let action =
                minicbor::to_vec((step as i64 - 1, (1_767_225_600_123_i64 + step as i64, 77 + step as u64), [seen], "近内路223号", true, 1.5_f64)).unwrap();
            seen = ActionId::of(&action);
            doc.put(&map, seen.to_string(), action).unwrap();
            let person = uuid::Uuid::from_u128(0x019b_0000_0000_7000_8000_0000_0000_0000 + save as u128);
            doc.put(ROOT, person.to_string(), minicbor::to_vec([("id_no", person.to_string())]).unwrap()).unwrap();
            doc.put(ROOT, format!("{person}.phone"), "19905884278").unwrap();
            doc.put(ROOT, "updated_at", "2026-01-01T13:28:15Z").unwrap();
            doc.put(ROOT, "area", 30 + save as i64).unwrap();
            doc.put(ROOT, "sha", [7_u8; 32].to_vec()).unwrap();
            doc.put(ROOT, "odd", "with\0zero").unwrap();
            commit(&mut doc, 1_767_225_600 + step as i64);
        }
        out.extend(doc.get_changes(&[]).iter().map(|change| change.raw_bytes().to_vec()));
    }
    out
}

/// Rows as batches and pages have them: known and new ids, nested CBOR, a salted value, a digest.
fn real_rows() -> Vec<Vec<u8>> {
    let bytes = |bytes: &[u8]| minicbor::bytes::ByteVec::from(bytes.to_vec());
    let nested = minicbor::to_vec((1, "走访", [bytes(&[3; 16])])).unwrap();
    let salted = [&[0xe5; 8][..], b"610799198001010017"].concat();
    let rows = [bytes(&[9; 16]), bytes(&[7; 32]), bytes(&nested), bytes(&salted), bytes(&[1, 2, 3]), bytes(&[9; 16])];
    rows.iter().map(|row| minicbor::to_vec((0, row, Some(-5_i64), None::<u8>)).unwrap()).chain([b"\xff no CBOR".to_vec(), Vec::new()]).collect()
}

fn commit(doc: &mut AutoCommit, time: i64) {
    doc.commit_with(CommitOptions::default().with_time(time));
}

static TWO: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| real_changes(2));
static REAL: LazyLock<Vec<u8>> = LazyLock::new(|| pack(&slices(&real_changes(3)), &real_rows()));

fn slices(chunks: &[Vec<u8>]) -> Vec<&[u8]> {
    chunks.iter().map(Vec::as_slice).collect()
}

#[test]
fn real_changes_come_back_as_they_were_and_pack_smaller() {
    let chunks = real_changes(20);
    let packed = pack(&slices(&chunks), &[]);
    assert_eq!(packed[0], COLUMNS);
    assert_eq!(unpack(&packed, LIMIT).unwrap().changes, chunks);
    let plain: Vec<u8> = chunks.concat();
    let zstd = |bytes: &[u8]| zstd::bulk::compress(bytes, 19).unwrap().len();
    assert!(zstd(&packed) * 3 < zstd(&plain) * 2, "{} against {}", zstd(&packed), zstd(&plain));
}

#[test]
fn rows_come_back_as_they_were() {
    let (changes, rows) = (real_changes(2), real_rows());
    let packed = pack(&slices(&changes), &rows);
    assert_eq!(packed[0], COLUMNS);
    assert_eq!(unpack(&packed, LIMIT).unwrap(), Run { changes, rows });
}

#[test]
fn what_is_not_a_change_stands_as_it_is_among_changes() {
    let mut chunks = real_changes(2);
    chunks.insert(1, b"not a change".to_vec());
    chunks.push(Vec::new());
    let mut wrong = chunks[0].clone();
    wrong[4] ^= 1;
    chunks.push(wrong);
    let packed = pack(&slices(&chunks), &[]);
    assert_eq!(packed[0], COLUMNS);
    assert_eq!(unpack(&packed, LIMIT).unwrap().changes, chunks);
}

#[test]
fn limits_hold() {
    let chunks = real_changes(4);
    let packed = pack(&slices(&chunks), &[]);
    let total: usize = chunks.iter().map(Vec::len).sum();
    assert_eq!(unpack(&packed, total).unwrap().changes, chunks);
    assert_eq!(unpack(&packed, total - 1), Err(WireError::TooLarge("changes")));
    let empties = vec![Vec::new(); 1_000];
    assert_eq!(unpack(&pack(&slices(&empties), &[]), 100), Err(WireError::TooLarge("changes")));
    assert!(unpack(&pack(&[&vec![0; MAX_CHANGE + 1]], &[]), LIMIT).is_err());
    for packed in [pack(&slices(&empties), &[]), pack(&[], &empties)] {
        let within = |most| super::unpack(&packed, Most { bytes: LIMIT, changes: most, rows: most });
        assert!(within(empties.len()).is_ok());
        assert!(matches!(within(empties.len() - 1), Err(WireError::TooLarge(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_come_back(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        prop_assert_eq!(unpack(&pack(&slices(&chunks), &[]), LIMIT).unwrap().changes, chunks);
    }

    #[test]
    fn any_rows_come_back(rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20)) {
        prop_assert_eq!(unpack(&pack(&[], &rows), LIMIT).unwrap().rows, rows);
    }

    #[test]
    fn broken_changes_come_back(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut chunks = TWO.clone();
        for (which, place, byte) in cuts {
            let which = which.index(chunks.len());
            let place = place.index(chunks[which].len());
            chunks[which][place] = byte;
        }
        prop_assert_eq!(unpack(&pack(&slices(&chunks), &[]), LIMIT).unwrap().changes, chunks);
    }

    #[test]
    fn hostile_bytes_end_in_an_error_or_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..300), layout in 0_u8..2) {
        let bytes = [&[layout], bytes.as_slice()].concat();
        if let Ok(run) = unpack(&bytes, 10_000) {
            prop_assert!(run.changes.iter().chain(&run.rows).map(Vec::len).sum::<usize>() <= 10_000);
        }
    }

    #[test]
    fn altered_packs_end_in_an_error_or_within_the_limit(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut packed = REAL.clone();
        for (place, byte) in changes {
            let place = place.index(packed.len());
            packed[place] = byte;
        }
        if let Ok(run) = unpack(&packed, 20_000) {
            prop_assert!(run.changes.iter().chain(&run.rows).map(Vec::len).sum::<usize>() <= 20_000);
        }
    }
}
