use proptest::prelude::*;

use super::*;
use crate::wire::enrol::{EnrolAnswer, EnrolRequest};
use crate::wire::error::WireError;
use crate::wire::limits::{MAX_BODY, MAX_BODY_PLAIN};
use crate::wire::pack::Pack;
use crate::wire::suite::Signer;
use crate::wire::sync::{Answer, Authenticate, Request, SealedBytes, Token, opening_token};
use crate::wire::{decode, frame};

/// Every decoder on the same bytes; none may panic.
fn read_all(bytes: &[u8]) {
    let _ = Batch::from_bytes(bytes);
    let _ = Request::from_bytes(bytes);
    let _ = Answer::from_bytes(bytes);
    let _ = Pack::from_file(bytes, &server_key().public());
    let _ = decode::<EnrolRequest>(bytes, "enrol");
    let _ = decode::<EnrolAnswer>(bytes, "enrol");
    let _ = decode::<Fact>(bytes, "fact");
    let _ = frame::unwrap(bytes);
    let _ = opening_token(bytes);
}

#[test]
fn a_frame_that_claims_too_much_is_refused_before_it_is_unpacked() {
    let bomb = zstd::bulk::compress(&vec![0; MAX_BODY_PLAIN + 1], 1).unwrap();
    assert!(bomb.len() < 10_000);
    assert_eq!(frame::unwrap(&[&[1], bomb.as_slice()].concat()), Err(WireError::TooLarge("decompressed body")));
    assert_eq!(frame::unwrap(&vec![0; MAX_BODY + 1]), Err(WireError::TooLarge("body")));
}

#[test]
fn deep_nesting_is_skipped_without_recursion() {
    let deep = [vec![0x81; 1 << 20], vec![0]].concat();
    read_all(&deep);
    let answer = Answer::default().to_bytes();
    read_all(&[&[answer[0] + 1], &answer[1..], deep.as_slice()].concat());
}

/// Fields that say how much follows are not believed.
#[test]
fn claimed_lengths_cost_nothing() {
    for head in [
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
        &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x85, 0x01, 0x9a, 0xff, 0xff, 0xff, 0xff],
    ] {
        read_all(head);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn altered_messages_never_panic(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let request = Request { nonce: 1, state_hash: state().hash(), state: Some(state()), batches: vec![SealedBytes(batch().to_bytes())], offers: vec![], shown: None };
        for message in [batch().to_bytes(), request.to_bytes(&Authenticate::Token(Token(sixteen(0x70)))), unhex(include_str!("golden/answer.hex")), unhex(include_str!("golden/pack.hex"))] {
            let mut message = message;
            for (place, byte) in &places {
                let place = place.index(message.len());
                message[place] = *byte;
            }
            read_all(&message);
        }
    }
}
