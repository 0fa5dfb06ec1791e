//! A newer version appends to arrays and adds keys to maps; this one reads what it knows and passes on what was signed as it came.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::*;
use crate::wire::enrol::{EnrolRequest, SignedGrant};
use crate::wire::error::{ErrorBody, ErrorKind, WireError};
use crate::wire::suite::{Purpose, Signer};
use crate::wire::sync::{Answer, Authenticate, Request, SealedBytes, SignedHeads, Token};
use crate::wire::verdict::BatchVerdict;
use crate::wire::{decode, encode};

/// The CBOR item with something more at the end of its array or map.
fn grown(item: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(item);
    let mut encoder = Encoder::new(Vec::new());
    let key: &[u8] = match decoder.datatype().unwrap() {
        Type::Array => {
            encoder.array(decoder.array().unwrap().unwrap() + 1).unwrap();
            &[]
        }
        Type::Map => {
            encoder.map(decoder.map().unwrap().unwrap() + 1).unwrap();
            &[0x18, 200]
        }
        other => panic!("{other} does not grow"),
    };
    [encoder.into_writer().as_slice(), &item[decoder.position()..], key, &encode((1, "new", [[2]]))].concat()
}

#[test]
fn messages_may_grow() {
    let request = Request { nonce: 9, state_hash: state().hash(), state: None, batches: vec![], offers: vec![], shown: None };
    let bytes = request.to_bytes(&Authenticate::Token(Token(sixteen(0x70))));
    assert_eq!(Request::from_bytes(&grown(&bytes)).unwrap().request, request);

    let answer = Answer { nonce: 9, now_ms: NOW, safe_through: Some(4), ..Answer::default() };
    let read = Answer::from_bytes(&grown(&answer.to_signed_bytes(device(), request.hash(), &server_key()))).unwrap();
    assert!(read.is_signed(device(), request.hash(), &server_key().public()), "what is appended after the signature");
    assert_eq!(Answer { seal: None, ..read }, answer);

    assert_eq!(Batch::from_bytes(&grown(&batch().to_bytes())).unwrap(), batch());

    let error = ErrorBody { kind: ErrorKind::Busy, reason: "busy".to_owned(), retry_after_s: Some(5) };
    assert_eq!(decode::<ErrorBody>(&grown(&encode(&error)), "error").unwrap(), error);

    let enrol = EnrolRequest::new("code".to_owned(), incarnation(), &device_key());
    assert!(decode::<EnrolRequest>(&grown(&encode(&enrol)), "enrol").unwrap().verify());

    let verdict = BatchVerdict { incarnation: incarnation(), seq: 1, batch: Hash::ZERO, received_ms: NOW, exceptions: vec![] };
    assert_eq!(decode::<BatchVerdict>(&grown(&encode(&verdict)), "verdict").unwrap(), verdict);
}

#[test]
fn a_grown_action_is_read_and_keeps_its_bytes_and_id() {
    let bytes = grown(&report().to_bytes());
    assert_eq!(Action::from_bytes(&bytes).unwrap(), report());
    let fields = grown(&encode(report().fields));
    assert_eq!(decode::<Fields>(&fields, "fields").unwrap(), report().fields);
}

/// The header of a batch that a newer phone sealed: what it signed is checked, hashed and passed on as it came.
#[test]
fn a_grown_header_is_verified_and_hashed_as_it_came() {
    let batch = batch();
    let header = grown(&encode(&batch.header));
    let signature = device_key().sign(Purpose::Batch, &header);
    let stored: (SealedBytes, crate::wire::suite::Signature, SealedBytes) = decode(&batch.to_bytes(), "batch").unwrap();
    let bytes = encode((SealedBytes(header.clone()), signature, stored.2));
    let read = Batch::from_bytes(&bytes).unwrap();
    read.verify(&device_key().public()).unwrap();
    assert_eq!(read.hash(), Hash::of(&[&header]));
    assert_eq!(read.to_bytes(), bytes);
}

#[test]
fn grown_heads_and_grants_are_verified_as_they_came() {
    let grown_cursor = grown(&encode(cursor()));
    let heads = [&[0x81], grown_cursor.as_slice()].concat();
    let signature = server_key().sign(Purpose::Heads, &[device().as_bytes(), heads.as_slice()].concat());
    let signed: SignedHeads = decode(&encode((SealedBytes(heads), signature)), "heads").unwrap();
    assert!(signed.verify(device(), &server_key().public()));
    assert_eq!(signed.heads, [cursor()]);
    assert!(!signed.verify(DeviceId::from_bytes(sixteen(0xd1)), &server_key().public()));

    let bytes = grown(&encode(grant()));
    let signed = SignedGrant { signature: server_key().sign(Purpose::Grant, &bytes), grant: SealedBytes(bytes) };
    assert_eq!(signed.open(&server_key().public()).unwrap(), grant());
}

#[test]
fn unknown_codes_are_kept() {
    let fact = Fact { kind: FactKind::Other(77), ..fact() };
    assert_eq!(decode::<Fact>(&encode(&fact), "fact").unwrap(), fact);
    let change = ChangeItem { kind: RecordKind::Other(9), ..change() };
    assert_ne!(change.hash(), super::change().hash());
}

#[test]
fn a_newer_version_is_named_and_nothing_may_follow_a_message() {
    let mut bytes = Answer::default().to_bytes();
    bytes[1] = 2;
    assert_eq!(Answer::from_bytes(&bytes), Err(WireError::NewerVersion(2)));
    let trailing = [Answer::default().to_bytes(), vec![0]].concat();
    assert_eq!(Answer::from_bytes(&trailing), Err(WireError::Malformed("answer")));
}

/// One signature never passes for another: every purpose is part of what is signed.
#[test]
fn a_signature_is_good_for_one_purpose_and_one_device() {
    let batch = batch();
    let header = encode(&batch.header);
    assert!(crate::wire::suite::verify(&device_key().public(), Purpose::Batch, &header, &batch.signature));
    assert!(!crate::wire::suite::verify(&device_key().public(), Purpose::Grant, &header, &batch.signature));
    assert_eq!(batch.verify(&server_key().public()), Err(WireError::Unverified("batch signature")));

    let mut other = batch.clone();
    other.items.swap(0, 1);
    assert_eq!(other.verify(&device_key().public()), Err(WireError::Unverified("batch contents")));

    let request = Request { nonce: 9, state_hash: state().hash(), state: None, batches: vec![], offers: vec![], shown: None };
    let key = device_key();
    let mut bytes = request.to_bytes(&Authenticate::Sign(device(), &key));
    let at = bytes.windows(16).position(|window| window == device().as_bytes()).unwrap();
    bytes[at] ^= 1;
    assert!(!Request::from_bytes(&bytes).unwrap().signed_by(&key.public()));
}
