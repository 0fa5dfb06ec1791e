//! A phone that keeps cursors and nothing else: enough to be a device of the town.

use std::collections::BTreeMap;

use fieldgrid_core::device::transport::Transport;
use fieldgrid_core::domain::id::{DeviceId, Hash, Incarnation, StreamId};
use fieldgrid_core::wire::enrol::{EnrolAnswer, EnrolRequest, Invite};
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::suite::KeyPair;
use fieldgrid_core::wire::sync::{Answer, Authenticate, Cursor, OutboxHead, Request, StreamInfo, SyncState, Token};

pub struct Phone {
    key: KeyPair,
    device: DeviceId,
    incarnation: Incarnation,
    cursors: BTreeMap<StreamId, Cursor>,
    pub token: Option<Token>,
    nonce: u32,
}

impl Phone {
    pub async fn enrol(transport: &dyn Transport, invite: &Invite, n: u8) -> Self {
        let key = KeyPair::from_secret(&[n; 32]);
        let incarnation = Incarnation::random([n; 16]);
        let request = minicbor::to_vec(EnrolRequest::new(invite.code.clone(), incarnation, &key)).unwrap();
        let framed = transport.enrol(frame::wrap(&request, 3)).await.unwrap();
        let answer: EnrolAnswer = minicbor::decode(&frame::unwrap(&framed).unwrap()).unwrap();
        assert!(answer.keys.verify(invite.root));
        assert_eq!(answer.grant.open(&answer.keys.signing).unwrap().device, answer.device);
        let mut phone = Self { key, device: answer.device, incarnation, cursors: BTreeMap::new(), token: None, nonce: 0 };
        phone.follow(answer.directory);
        phone
    }

    fn follow(&mut self, directory: Vec<StreamInfo>) {
        self.cursors.retain(|stream, _| directory.iter().any(|info| info.id == *stream));
        for info in directory {
            self.cursors.entry(info.id).or_insert(Cursor { stream: info.id, epoch: info.epoch, seq: 0, chain: Hash::ZERO });
        }
    }

    /// Syncs until there is nothing new. The last answer, and how many requests it took.
    pub async fn sync(&mut self, transport: &dyn Transport) -> (Answer, u32) {
        let mut send_state = false;
        for requests in 1..20 {
            let answer = self.exchange(transport, send_state).await;
            send_state = answer.need_state;
            let idle = !answer.need_state && !answer.more && answer.pages.is_empty();
            if let Some(directory) = answer.directory.clone() {
                self.follow(directory);
            }
            for cursor in answer.heads.iter().flat_map(|heads| &heads.heads) {
                self.cursors.insert(cursor.stream, *cursor);
            }
            if idle {
                return (answer, requests);
            }
        }
        panic!("never at rest");
    }

    async fn exchange(&mut self, transport: &dyn Transport, send_state: bool) -> Answer {
        self.nonce += 1;
        let outbox = OutboxHead { incarnation: self.incarnation, seq: 0, hash: Hash::ZERO };
        let state = SyncState { cursors: self.cursors.values().copied().collect(), outbox };
        let request =
            Request { nonce: self.nonce, state_hash: state.hash(), state: send_state.then_some(state), batches: Vec::new(), offers: Vec::new(), shown: None };
        let how = self.token.map_or(Authenticate::Sign(self.device, &self.key), Authenticate::Token);
        let framed = transport.sync(frame::wrap(&request.to_bytes(&how), 3)).await.unwrap();
        let answer = Answer::from_bytes(&frame::unwrap(&framed).unwrap()).unwrap();
        assert_eq!(answer.nonce, self.nonce);
        self.token = answer.token.or(self.token);
        answer
    }
}
