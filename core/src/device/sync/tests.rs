use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::domain::id::StreamId;
use crate::domain::words::Words;
use crate::wire::frame;
use crate::wire::sync::{Answer, Cursor};

/// No clock, and randomness from a seed (SplitMix64).
#[derive(Debug)]
pub(in crate::device) struct Seeded(AtomicU64);

impl Seeded {
    pub(in crate::device) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Environment for Seeded {
    fn wall_ms(&self) -> i64 {
        1_780_000_000_000
    }
    fn mono_ms(&self) -> u64 {
        0
    }
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

fn machine() -> SyncMachine {
    SyncMachine::new(Seeded::new(1))
}

fn outgoing(nonce: u32, ask: Prepare) -> Event {
    Event::Prepared(Outgoing { nonce, body: vec![7; 50], signed: ask.sign, has_state: ask.send_state, bare: ask.bare })
}

fn answer(nonce: u32) -> Event {
    Event::Answered(Answered::read(&frame::wrap(&Answer { nonce, now_ms: 1, ..Answer::default() }.to_bytes(), 3)))
}

fn refused(kind: ErrorKind, retry_after_s: Option<u32>) -> Event {
    Event::Failed(TransportError::Refused(ErrorBody { kind, reason: "because".into(), retry_after_s }))
}

fn pack(file: &[u8]) -> PackRef {
    let at = Cursor { stream: StreamId::from_bytes([3; 16]), epoch: 1, seq: 40, chain: Hash::of(&[b"chain"]) };
    PackRef { at, size: file.len() as u64, sha256: Hash::of(&[file]) }
}

fn progress() -> Applied {
    Applied { entries: 3, progress: true, rose: true, ..Applied::default() }
}

/// Brings the machine to where a request with this nonce is out, and says what it carried.
fn ask(machine: &mut SyncMachine, nonce: u32, event: Event) -> Prepare {
    let Some(Effect::Prepare(ask)) = machine.handle(event) else { panic!("no request is prepared") };
    assert!(matches!(machine.handle(outgoing(nonce, ask)), Some(Effect::Send(_))));
    ask
}

fn wait(effect: Option<Effect>) -> Wait {
    match effect {
        Some(Effect::Wait(wait)) => wait,
        other => panic!("not a wait: {other:?}"),
    }
}

#[test]
fn nothing_new_is_one_round_trip() {
    let mut machine = machine();
    assert_eq!(ask(&mut machine, 5, Event::Due), Prepare::default());
    assert!(matches!(machine.handle(answer(5)), Some(Effect::Apply(answer)) if answer.nonce == 5));
    let Some(Effect::Finished(summary)) = machine.handle(Event::Applied(Applied::default())) else { panic!("not finished") };
    assert_eq!((summary.round_trips, summary.sent_bytes, summary.wait), (1, 50, None));
    assert!(summary.received_bytes < 20);
}

#[test]
fn a_lost_answer_is_asked_for_again_as_it_was() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    assert_eq!(wait(machine.handle(Event::Failed(TransportError::Timeout))).reason, WaitReason::Timeout);
    assert_eq!(ask(&mut machine, 2, Event::Due), Prepare::default());
    machine.handle(refused(ErrorKind::Unauthenticated, None));
    machine.handle(outgoing(3, Prepare { sign: true, ..Prepare::default() }));
    wait(machine.handle(Event::Failed(TransportError::NoNetwork)));
    let again = ask(&mut machine, 4, Event::Due);
    assert!(again.sign && !again.send_state, "what the lost request had to carry is carried again");
}

#[test]
fn a_signed_request_that_found_no_room_opens_a_session_first_and_sends_then() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    assert!(!ask(&mut machine, 2, refused(ErrorKind::Unauthenticated, None)).bare, "one round trip is enough where there is room");
    assert_eq!(wait(machine.handle(refused(ErrorKind::Busy, Some(5)))).reason, WaitReason::ServerBusy);
    assert_eq!(ask(&mut machine, 3, Event::Due), Prepare { sign: true, bare: true, ..Prepare::default() });
    machine.handle(answer(3));
    assert_eq!(ask(&mut machine, 4, Event::Applied(Applied::default())), Prepare::default(), "by the token, with the batches");
    machine.handle(answer(4));
    assert!(matches!(machine.handle(Event::Applied(progress())), Some(Effect::Finished(_))));
}

#[test]
fn what_was_not_taken_waits_ever_longer_and_is_not_sent_twice_in_a_round() {
    let mut longest = 0;
    for times in 1..40 {
        // Each in a machine of its own: it is the store that counts.
        let mut machine = machine();
        assert!(!ask(&mut machine, 1, Event::Due).keep, "whoever asks is answered with a try");
        machine.handle(answer(1));
        let rejected = Applied { rejected: times, more: true, ..progress() };
        assert!(ask(&mut machine, 2, Event::Applied(rejected)).keep, "the rest is read, and the work kept");
        machine.handle(answer(2));
        let wait = wait(machine.handle(Event::Applied(progress())));
        assert_eq!(wait.reason, WaitReason::NotTaken);
        assert!(wait.ms >= longest / 2 && wait.ms <= BACKOFF_CAP_MS, "{times}: {} after {longest}", wait.ms);
        longest = longest.max(wait.ms);
        assert!(!ask(&mut machine, 3, Event::Due).keep);
    }
    assert!(longest > BACKOFF_CAP_MS / 2);
}

#[test]
fn the_answer_to_another_request_is_never_applied() {
    let mut machine = machine();
    ask(&mut machine, 2, Event::Due);
    assert_eq!(wait(machine.handle(answer(1))).reason, WaitReason::BadAnswer);
    assert!(machine.handle(answer(2)).is_none(), "given up means that the answer comes too late");
    ask(&mut machine, 3, Event::Due);
    assert!(matches!(machine.handle(answer(3)), Some(Effect::Apply(_))));
}

#[test]
fn a_dropped_round_begins_again() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    ask(&mut machine, 2, Event::Due);
    assert!(matches!(machine.handle(answer(2)), Some(Effect::Apply(_))));
    assert!(matches!(machine.handle(Event::Due), Some(Effect::Prepare(_))));
    assert!(machine.handle(Event::Applied(progress())).is_none(), "of the round before");
}

#[test]
fn the_state_is_sent_when_asked_for_and_only_once() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    let again = Applied { need_state: true, ..Applied::default() };
    assert_eq!(ask(&mut machine, 2, Event::Applied(again.clone())), Prepare { send_state: true, ..Prepare::default() });
    machine.handle(answer(2));
    assert_eq!(wait(machine.handle(Event::Applied(again))).reason, WaitReason::BadAnswer);
}

#[test]
fn an_ended_token_is_answered_by_a_signature_and_then_by_a_person() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    assert_eq!(ask(&mut machine, 2, refused(ErrorKind::Unauthenticated, None)), Prepare { sign: true, ..Prepare::default() });
    let wait = wait(machine.handle(refused(ErrorKind::Unauthenticated, None)));
    assert_eq!(wait.reason, WaitReason::NotRecognised);
    assert!(wait.ms >= PERSON_WAIT_MS / 2);
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_says() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    let busy = wait(machine.handle(refused(ErrorKind::Busy, Some(40))));
    assert_eq!(busy.reason, WaitReason::ServerBusy);
    assert!((40_000..=50_000).contains(&busy.ms), "{busy:?}");
    ask(&mut machine, 2, Event::Due);
    assert_eq!(wait(machine.handle(refused(ErrorKind::TooOften, Some(u32::MAX)))).ms, MAX_WAIT_MS);
}

#[test]
fn more_is_fetched_at_once_as_long_as_it_brings_something() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    for nonce in 1..20 {
        machine.handle(answer(nonce));
        ask(&mut machine, nonce + 1, Event::Applied(Applied { more: true, ..progress() }));
    }
    machine.handle(answer(20));
    for _ in 0..MAX_FRUITLESS {
        match machine.handle(Event::Applied(Applied { more: true, ..Applied::default() })) {
            Some(Effect::Prepare(ask)) => machine.handle(outgoing(1, ask)),
            Some(Effect::Wait(wait)) => {
                assert_eq!(wait.reason, WaitReason::BadAnswer);
                assert_eq!(machine.summary().entries, 19 * 3);
                return;
            }
            other => panic!("{other:?}"),
        };
        machine.handle(answer(1));
    }
    panic!("a server that says `more` and brings nothing is asked without end");
}

#[test]
fn a_server_too_old_for_the_work_is_read_to_the_end_and_then_waited_for() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    let outdated = |more| Event::Applied(Applied { more, server_outdated: true, ..progress() });
    ask(&mut machine, 2, outdated(true));
    machine.handle(answer(2));
    let wait = wait(machine.handle(outdated(false)));
    assert_eq!((wait.reason, machine.summary().entries), (WaitReason::ServerOutdated, 6));
    assert!(wait.ms >= PERSON_WAIT_MS / 2);
    ask(&mut machine, 3, Event::Due);
    machine.handle(answer(3));
    assert!(matches!(machine.handle(Event::Applied(progress())), Some(Effect::Finished(_))), "it was updated");
}

#[test]
fn a_pack_is_gone_on_with_where_it_broke_off() {
    let file = b"everything that the stream holds".to_vec();
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    let named = Event::Applied(Applied { packs: vec![pack(&file)], ..Applied::default() });
    assert!(matches!(machine.handle(named), Some(Effect::FetchPack(_, 0))));

    let first = PackPart { bytes: file[..10].to_vec(), total: Some(file.len() as u64), broke: Some(TransportError::NoNetwork), kept: false };
    assert_eq!(wait(machine.handle(Event::Pack(first))).reason, WaitReason::NoNetwork);
    assert!(matches!(machine.handle(Event::Due), Some(Effect::FetchPack(_, 10))));

    let rest = PackPart { bytes: file[10..].to_vec(), total: Some(file.len() as u64), broke: None, kept: false };
    assert!(matches!(machine.handle(Event::Pack(rest)), Some(Effect::ApplyPack(whole)) if whole == file));
    assert_eq!(ask(&mut machine, 2, Event::PackApplied(Applied::default())), Prepare { send_state: true, ..Prepare::default() });
    machine.handle(answer(2));
    let Some(Effect::Finished(summary)) = machine.handle(Event::Applied(Applied::default())) else { panic!("not finished") };
    assert_eq!((summary.packs, summary.round_trips), (1, 4));
}

#[test]
fn a_pack_whose_session_ends_is_gone_on_with_after_signing() {
    let file = vec![9; 1000];
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    machine.handle(Event::Applied(Applied { packs: vec![pack(&file)], ..Applied::default() }));
    let unauthenticated = ErrorBody { kind: ErrorKind::Unauthenticated, reason: String::new(), retry_after_s: None };
    let ended = PackPart { bytes: file[..600].to_vec(), total: Some(1000), broke: Some(TransportError::Refused(unauthenticated)), kept: false };
    assert_eq!(ask(&mut machine, 2, Event::Pack(ended)), Prepare { sign: true, ..Prepare::default() });
    machine.handle(answer(2));
    let named = Event::Applied(Applied { packs: vec![pack(&file)], ..Applied::default() });
    assert!(matches!(machine.handle(named), Some(Effect::FetchPack(_, 600))));
}

#[test]
fn a_pack_that_is_not_what_was_named_is_thrown_away() {
    let file = vec![9; 100];
    for (bytes, total) in [(vec![8; 100], Some(100)), (vec![9; 101], None), (vec![9; 10], Some(11))] {
        let mut machine = machine();
        ask(&mut machine, 1, Event::Due);
        machine.handle(answer(1));
        machine.handle(Event::Applied(Applied { packs: vec![pack(&file)], ..Applied::default() }));
        assert!(matches!(machine.handle(Event::Pack(PackPart { bytes, total, broke: None, kept: false })), Some(Effect::ForgetPart)));
        assert_eq!(wait(machine.handle(Event::Forgotten)).reason, WaitReason::BadAnswer);
        assert!(matches!(machine.handle(Event::Due), Some(Effect::FetchPack(_, 0))));
    }
}

#[test]
fn what_was_kept_of_a_pack_and_is_spoilt_is_fetched_anew_at_once() {
    let file = vec![9; 100];
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    machine.handle(Event::Applied(Applied { packs: vec![pack(&file)], ..Applied::default() }));
    assert!(matches!(machine.handle(Event::Pack(PackPart { bytes: vec![8; 60], kept: true, ..PackPart::default() })), Some(Effect::FetchPack(_, 60))));
    let rest = PackPart { bytes: vec![9; 40], total: Some(100), ..PackPart::default() };
    assert!(matches!(machine.handle(Event::Pack(rest)), Some(Effect::ForgetPart)));
    assert!(matches!(machine.handle(Event::Forgotten), Some(Effect::FetchPack(_, 0))));
    let whole = PackPart { bytes: file.clone(), total: Some(100), ..PackPart::default() };
    assert!(matches!(machine.handle(Event::Pack(whole)), Some(Effect::ApplyPack(whole)) if whole == file));
    assert!(matches!(machine.handle(Event::StoreFailed(StoreFault::BadData)), Some(Effect::ForgetPart)), "nor is what did not go in");
}

/// Answers with what `applied` says until the machine waits; says how often it asked.
fn asked_until_it_waits(machine: &mut SyncMachine, mut event: Event, applied: &Applied) -> (u32, Wait) {
    for asked in 0.. {
        match machine.handle(event) {
            Some(Effect::Wait(wait)) => return (asked, wait),
            Some(Effect::Prepare(ask)) => drop(machine.handle(outgoing(1, ask))),
            other => panic!("{other:?}"),
        }
        machine.handle(answer(1));
        event = Event::Applied(applied.clone());
    }
    unreachable!()
}

#[test]
fn what_only_changes_is_followed_a_few_times_and_then_ever_more_rarely() {
    let toggled = Applied { progress: true, more: true, ..Applied::default() };
    let mut machine = machine();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let (asked, wait) = asked_until_it_waits(&mut machine, Event::Due, &toggled);
        assert_eq!((asked, wait.reason), (MAX_UNPROVED, WaitReason::BadAnswer));
        waits.push(wait.ms);
    }
    assert!(waits[0] <= FIRST_WAIT_MS && waits[11] >= BACKOFF_CAP_MS / 2, "{waits:?}");
}

#[test]
fn what_rises_without_an_end_is_followed_in_rounds_that_are_ever_rarer() {
    let more = Applied { more: true, ..progress() };
    let mut machine = machine();
    let waits: Vec<_> = (0..12).map(|_| asked_until_it_waits(&mut machine, Event::Due, &more)).collect();
    assert!(waits.iter().all(|(asked, wait)| (*asked, wait.reason) == (MAX_ASKS, WaitReason::Scheduled)), "{waits:?}");
    assert_eq!(waits[11].1.ms, BACKOFF_CAP_MS);
}

#[test]
fn a_pack_that_comes_byte_by_byte_is_not_asked_for_without_end() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    let mut effect = machine.handle(Event::Applied(Applied { packs: vec![pack(&[9; 10_000])], ..Applied::default() }));
    let mut asked = 0;
    while let Some(Effect::FetchPack(_, offset)) = effect {
        assert_eq!(offset, asked);
        asked += 1;
        effect = machine.handle(Event::Pack(PackPart { bytes: vec![9], total: Some(10_000), ..PackPart::default() }));
    }
    assert_eq!((wait(effect).reason, asked), (WaitReason::BadAnswer, u64::from(MAX_FRUITLESS) - 1));
}

#[test]
fn a_pack_that_is_bad_again_and_again_is_fetched_ever_more_rarely() {
    let file = vec![9; 100];
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    machine.handle(Event::Applied(Applied { packs: vec![pack(&file)], ..Applied::default() }));
    let mut waits = Vec::new();
    for _ in 0..12 {
        machine.handle(Event::Pack(PackPart { bytes: vec![8; 100], total: Some(100), broke: None, kept: false }));
        waits.push(wait(machine.handle(Event::Forgotten)).ms);
        machine.handle(Event::Due);
    }
    assert!(waits[0] <= FIRST_WAIT_MS && waits[11] >= BACKOFF_CAP_MS / 2, "{waits:?}");
}

#[test]
fn a_server_that_refuses_every_life_is_not_answered_with_ever_new_ones() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    let mut waits = Vec::new();
    for nonce in 1..14 {
        machine.handle(answer(nonce));
        let rebuilt = Event::Applied(Applied { progress: true, more: true, rebuilt: true, ..Applied::default() });
        if nonce == 1 {
            ask(&mut machine, nonce + 1, rebuilt);
        } else {
            waits.push(wait(machine.handle(rebuilt)).ms);
            ask(&mut machine, nonce + 1, Event::Due);
        }
    }
    assert!(waits[0] >= FIRST_WAIT_MS && waits[11] >= BACKOFF_CAP_MS / 2, "{waits:?}");
}

#[test]
fn a_pack_that_was_replaced_is_asked_for_anew() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    machine.handle(answer(1));
    machine.handle(Event::Applied(Applied { packs: vec![pack(b"old")], ..Applied::default() }));
    let gone = ErrorBody { kind: ErrorKind::NotFound, reason: String::new(), retry_after_s: None };
    let gone = PackPart { broke: Some(TransportError::Refused(gone)), ..PackPart::default() };
    ask(&mut machine, 2, Event::Pack(gone));
    machine.handle(answer(2));
    let named = Event::Applied(Applied { packs: vec![pack(b"newer")], ..Applied::default() });
    assert!(matches!(machine.handle(named), Some(Effect::FetchPack(newer, 0)) if newer == pack(b"newer")));
}

#[test]
fn a_revoked_device_is_told_to_wipe_and_asks_no_more() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    assert!(matches!(machine.handle(refused(ErrorKind::Revoked, None)), Some(Effect::Wipe)));
    for _ in 0..3 {
        assert_eq!(wait(machine.handle(Event::Due)).reason, WaitReason::Revoked);
    }
}

#[test]
fn a_proxy_revokes_nobody() {
    let mut machine = machine();
    ask(&mut machine, 1, Event::Due);
    assert_eq!(wait(machine.handle(Event::Failed(TransportError::Status(403)))).reason, WaitReason::BadAnswer);
}

#[test]
fn every_reason_has_its_own_words_in_both_languages() {
    for (i, reason) in WaitReason::ALL.iter().enumerate() {
        let Words { zh, en } = reason.words();
        assert!(en.is_ascii() && !zh.is_ascii());
        assert!(WaitReason::ALL[..i].iter().all(|other| other.words() != reason.words()));
    }
}

fn events() -> impl Strategy<Value = Event> {
    let error_kinds = prop::sample::select(ErrorKind::ALL);
    let failures = prop_oneof![
        Just(TransportError::NoNetwork),
        Just(TransportError::Timeout),
        Just(TransportError::Clock),
        Just(TransportError::Untrusted),
        Just(TransportError::TooLarge),
        any::<u16>().prop_map(TransportError::Status),
        (error_kinds, any::<Option<u32>>()).prop_map(|(kind, retry_after_s)| TransportError::Refused(ErrorBody { kind, reason: String::new(), retry_after_s })),
    ];
    let applieds = (any::<[bool; 4]>(), 0..3usize).prop_map(|([progress, rose, more, need_state], packs)| Applied {
        progress,
        rose,
        more,
        need_state,
        packs: vec![pack(b"pack"); packs],
        ..Applied::default()
    });
    let parts = (prop::collection::vec(any::<u8>(), 0..6), any::<bool>(), prop::option::of(failures.clone())).prop_map(|(bytes, right, broke)| PackPart {
        bytes,
        total: right.then_some(4),
        broke,
        kept: false,
    });
    prop_oneof![
        Just(Event::Due),
        (0..3u32, any::<[bool; 3]>()).prop_map(|(nonce, [sign, send_state, bare])| outgoing(nonce, Prepare { send_state, sign, bare, ..Prepare::default() })),
        (0..3u32).prop_map(answer),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|framed| Event::Answered(Answered::read(&framed))),
        failures.prop_map(Event::Failed),
        applieds.prop_map(Event::Applied),
        parts.prop_map(Event::Pack),
        Just(Event::PackApplied(Applied::default())),
        Just(Event::Forgotten),
        prop::sample::select(vec![StoreFault::NotEnrolled, StoreFault::BadData, StoreFault::Storage]).prop_map(Event::StoreFailed),
    ]
}

proptest! {
    /// Whatever happens: no wait is longer than the cap or without length, and without progress nothing is asked for often without a wait.
    #[test]
    fn never_spins_and_never_hangs(seed: u64, events in prop::collection::vec(events(), 0..400)) {
        let mut machine = SyncMachine::new(Seeded::new(seed));
        let mut asked = 0;
        for event in events {
            let from_outside = matches!(event, Event::Due);
            let progress = matches!(&event, Event::Applied(applied) if applied.progress || applied.rose) || matches!(&event, Event::Pack(part) if !part.bytes.is_empty()) || matches!(event, Event::PackApplied(_));
            if from_outside || progress {
                asked = 0;
            }
            match machine.handle(event) {
                Some(Effect::Wait(wait)) => {
                    prop_assert!((FIRST_WAIT_MS / 2..=MAX_WAIT_MS).contains(&wait.ms), "{wait:?}");
                    asked = 0;
                }
                Some(Effect::Send(_) | Effect::FetchPack(..)) => {
                    asked += 1;
                    prop_assert!(asked <= MAX_FRUITLESS, "asked {asked} times without progress");
                }
                Some(Effect::Finished(_)) => asked = 0,
                _ => {}
            }
        }
    }

    /// Failures one after the other wait longer and longer, up to the cap, and progress begins anew.
    #[test]
    fn backs_off(seed: u64, failures in 1..30u32) {
        let mut machine = SyncMachine::new(Seeded::new(seed));
        for n in 0..failures {
            ask(&mut machine, n, Event::Due);
            let ms = wait(machine.handle(Event::Failed(TransportError::NoNetwork))).ms;
            let full = (FIRST_WAIT_MS << n.min(16)).min(BACKOFF_CAP_MS);
            prop_assert!((full / 2..=full).contains(&ms), "failure {n} waited {ms} ms");
        }
        ask(&mut machine, 99, Event::Due);
        machine.handle(answer(99));
        machine.handle(Event::Applied(Applied::default()));
        ask(&mut machine, 100, Event::Due);
        prop_assert!(wait(machine.handle(Event::Failed(TransportError::NoNetwork))).ms <= FIRST_WAIT_MS);
    }
}
