use std::{collections::BTreeMap, path::Path, sync::Arc};

use matrix_sdk_common::deserialized_responses::ProcessedToDeviceEvent;
use matrix_sdk_crypto::{
    DecryptionSettings, EncryptionSettings, EncryptionSyncChanges, OlmMachine, TrustRequirement,
    types::{
        events::room::encrypted::EncryptedEvent,
        requests::{AnyOutgoingRequest, ToDeviceRequest},
    },
};
use matrix_sdk_sqlite::SqliteCryptoStore;
use protocol::Result;
use ruma::{
    OneTimeKeyAlgorithm, OwnedTransactionId, RoomId, TransactionId, UInt, UserId,
    api::client::{
        keys::{claim_keys, get_keys, upload_keys},
        sync::sync_events::DeviceLists,
        to_device::send_event_to_device,
    },
    device_id,
    events::{AnyMessageLikeEventContent, AnyToDeviceEvent},
    serde::Raw,
    user_id,
};
use serde_json::Value;

use crate::alice::{Alice, Ciphertext, Device, Kind};

pub const USER: &str = "@bob:example.org";

/// How many one-time keys the server says it has, so that a sync makes no more.
const ENOUGH_KEYS: u8 = 50;

/// The keys that Bob uploaded.
pub struct Uploaded {
    pub curve25519: String,
    pub ed25519: String,
    pub one_time: String,
}

/// An OlmMachine on its SQLite store.
pub struct Bob {
    machine: OlmMachine,
    counts: BTreeMap<OneTimeKeyAlgorithm, UInt>,
    settings: DecryptionSettings,
}

impl Bob {
    pub async fn open(dir: &Path) -> Result<Bob> {
        let store = SqliteCryptoStore::open_with_key(dir.join("store"), Some(&[2; 32])).await?;
        let user = user_id!("@bob:example.org");
        let machine = OlmMachine::with_store(user, device_id!("BOB"), store, None).await?;
        Ok(Bob {
            machine,
            counts: BTreeMap::from([(OneTimeKeyAlgorithm::SignedCurve25519, ENOUGH_KEYS.into())]),
            settings: DecryptionSettings {
                sender_device_trust_requirement: TrustRequirement::Untrusted,
            },
        })
    }

    /// Gives the server his keys.
    pub async fn upload(&self) -> Result<Uploaded> {
        for request in self.machine.outgoing_requests().await? {
            let AnyOutgoingRequest::KeysUpload(upload) = request.request() else {
                continue;
            };
            let one_time: Value = serde_json::to_value(&upload.one_time_keys)?;
            let one_time = one_time.as_object().and_then(|keys| keys.values().next());
            let one_time = one_time
                .and_then(|key| key["key"].as_str())
                .ok_or("no one-time key")?;
            let response = upload_keys::v3::Response::new(self.counts.clone());
            self.machine
                .mark_request_as_sent(request.request_id(), &response)
                .await?;
            let keys = self.machine.identity_keys();
            return Ok(Uploaded {
                curve25519: keys.curve25519.to_base64(),
                ed25519: keys.ed25519.to_base64(),
                one_time: one_time.into(),
            });
        }
        Err("the machine uploads no keys".into())
    }

    /// Learns devices from a /keys/query.
    pub async fn meet(&self, devices: &[Device]) -> Result<()> {
        let users = || devices.iter().map(|d| d.user.as_ref());
        self.machine.update_tracked_users(users()).await?;
        let (id, _) = self.machine.query_keys_for_users(users());
        let mut response = get_keys::v3::Response::new();
        for d in devices {
            let keys = Raw::from_json_string(d.keys.to_string())?;
            response
                .device_keys
                .entry(d.user.clone())
                .or_default()
                .insert(d.id.clone(), keys);
        }
        self.machine.mark_request_as_sent(&id, &response).await?;
        Ok(())
    }

    /// Handles a sync with these events, and returns how many were decrypted.
    pub async fn sync(&self, events: Vec<Raw<AnyToDeviceEvent>>) -> Result<Synced> {
        let changes = EncryptionSyncChanges {
            to_device_events: events,
            changed_devices: &DeviceLists::default(),
            one_time_keys_counts: &self.counts,
            unused_fallback_keys: Some(&[OneTimeKeyAlgorithm::SignedCurve25519]),
            next_batch_token: Some("next".into()),
        };
        let (events, room_keys) = self
            .machine
            .receive_sync_changes(changes, &self.settings)
            .await?;
        let decrypted = |e: &&_| matches!(e, ProcessedToDeviceEvent::Decrypted { .. });
        Ok(Synced {
            decrypted: events.iter().filter(decrypted).count(),
            room_keys: room_keys.len(),
        })
    }

    /// Finds out with which devices of users there is no session, and asks for keys
    /// of theirs.
    pub async fn missing(
        &self,
        users: &[&UserId],
    ) -> Result<Option<(OwnedTransactionId, claim_keys::v3::Request)>> {
        Ok(self
            .machine
            .get_missing_sessions(users.iter().copied())
            .await?)
    }

    /// Opens sessions with the keys that were claimed.
    pub async fn claimed(
        &self,
        id: &TransactionId,
        response: &claim_keys::v3::Response,
    ) -> Result<()> {
        self.machine.mark_request_as_sent(id, response).await?;
        Ok(())
    }

    /// Encrypts an event of a room whose key was shared.
    pub async fn write_room(
        &self,
        room: &RoomId,
        content: &Raw<AnyMessageLikeEventContent>,
    ) -> Result<()> {
        self.machine
            .encrypt_room_event_raw(room, "m.room.message", content)
            .await?;
        Ok(())
    }

    /// Decrypts an event of a room.
    pub async fn read_room(&self, room: &RoomId, event: &Raw<EncryptedEvent>) -> Result<()> {
        self.machine
            .decrypt_room_event(event, room, &self.settings)
            .await?;
        Ok(())
    }

    /// Claims keys where sessions are missing, and shares the key of a room.
    pub async fn share(
        &self,
        room: &str,
        users: &[&UserId],
        claimed: Option<&claim_keys::v3::Response>,
    ) -> Result<Vec<Arc<ToDeviceRequest>>> {
        let users = || users.iter().copied();
        if let Some((id, _)) = self.machine.get_missing_sessions(users()).await? {
            let response = claimed.ok_or("a session is missing that was there")?;
            self.machine.mark_request_as_sent(&id, response).await?;
        }
        let room = RoomId::parse(room)?;
        // One session serves for all that is measured.
        let settings = EncryptionSettings {
            rotation_period_msgs: 10_000,
            ..EncryptionSettings::default()
        };
        let requests = self
            .machine
            .share_room_key(&room, users(), settings)
            .await?;
        for r in &requests {
            let response = send_event_to_device::v3::Response::new();
            self.machine
                .mark_request_as_sent(&r.txn_id, &response)
                .await?;
        }
        Ok(requests)
    }

    /// Writes to Alice: he shares the key of a room that he has shared none of.
    pub async fn write(&self, room: &str, alice: &Device) -> Result<Ciphertext> {
        self.write_to(
            room,
            &alice.user,
            &alice.account.curve25519_key().to_base64(),
        )
        .await
    }

    /// Writes to the device with this identity key.
    pub async fn write_to(&self, room: &str, user: &UserId, key: &str) -> Result<Ciphertext> {
        let requests = self.share(room, &[user], None).await?;
        let messages = ciphertexts(&requests)?;
        Ok(messages.get(key).ok_or("bob encrypted nothing")?.clone())
    }
}

/// What came of a sync.
pub struct Synced {
    pub decrypted: usize,
    pub room_keys: usize,
}

/// What requests carry, by the receiver's identity key.
pub fn ciphertexts(requests: &[Arc<ToDeviceRequest>]) -> Result<BTreeMap<String, Ciphertext>> {
    let mut found = BTreeMap::new();
    for content in requests
        .iter()
        .flat_map(|r| r.messages.values())
        .flat_map(|d| d.values())
    {
        let content: Value = serde_json::from_str(content.json().get())?;
        if let Some(messages) = content["ciphertext"].as_object() {
            for (key, message) in messages {
                found.insert(key.clone(), serde_json::from_value(message.clone())?);
            }
        }
    }
    Ok(found)
}

/// Opens a store in which Bob has a session with Alice, in which both have received.
pub async fn acquainted(dir: &Path) -> Result<(Bob, Alice)> {
    let bob = Bob::open(dir).await?;
    let mut alice = Alice::new(bob.upload().await?)?;
    bob.meet(std::slice::from_ref(&alice.device)).await?;
    let key = protocol::RoomKey {
        room_id: String::new(),
        session_id: String::new(),
        session_key: String::new(),
    };
    let first = alice.event(Kind::Note, &key)?;
    if bob.sync(vec![first]).await?.decrypted != 1 {
        return Err("bob cannot read the first message".into());
    }
    let reply = bob.write("!first:example.org", &alice.device).await?;
    alice.read(&reply)?;
    Ok((bob, alice))
}
