use std::collections::BTreeMap;

use matrix_sdk_crypto::vodozemac::{
    Curve25519PublicKey,
    olm::{Account, OlmMessage, Session, SessionConfig},
};
use protocol::{Result, RoomKey};
use ruma::{
    OwnedDeviceId, OwnedUserId, canonical_json::to_canonical_value, events::AnyToDeviceEvent,
    serde::Raw,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bob::{USER as BOB, Uploaded};

/// What a payload is.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Decrypted by every system and kept by none.
    Note,
    RoomKey,
}

/// A message as an event carries it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ciphertext {
    #[serde(rename = "type")]
    pub kind: usize,
    pub body: String,
}

/// A device with an account of its own.
pub struct Device {
    pub user: OwnedUserId,
    pub id: OwnedDeviceId,
    pub account: Account,
    /// device_keys, signed.
    pub keys: Value,
}

impl Device {
    pub fn new(user: &str, id: &str) -> Result<Device> {
        let account = Account::new();
        let keys = account.identity_keys();
        let keys = json!({
            "user_id": user,
            "device_id": id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                format!("curve25519:{id}"): keys.curve25519.to_base64(),
                format!("ed25519:{id}"): keys.ed25519.to_base64(),
            },
        });
        let mut device = Device {
            user: user.try_into()?,
            id: id.into(),
            account,
            keys: Value::Null,
        };
        device.keys = device.signed(keys)?;
        Ok(device)
    }

    /// One one-time key, as a claim gives it.
    pub fn claimed(&mut self) -> Result<BTreeMap<String, Value>> {
        self.account.generate_one_time_keys(1);
        let (id, key) = self
            .account
            .one_time_keys()
            .into_iter()
            .next()
            .ok_or("no one-time key")?;
        self.account.mark_keys_as_published();
        let key = self.signed(json!({ "key": key.to_base64() }))?;
        Ok(BTreeMap::from([(
            format!("signed_curve25519:{}", id.to_base64()),
            key,
        )]))
    }

    fn signed(&self, mut object: Value) -> Result<Value> {
        let signature = self.account.sign(to_canonical_value(&object)?.to_string());
        object["signatures"] = json!({ self.user.as_str(): { format!("ed25519:{}", self.id): signature.to_base64() } });
        Ok(object)
    }
}

/// Writes to Bob and reads what he writes.
pub struct Alice {
    pub device: Device,
    session: Session,
    bob: Uploaded,
}

impl Alice {
    pub fn new(bob: Uploaded) -> Result<Alice> {
        let device = Device::new("@alice:example.org", "ALICE")?;
        let config = SessionConfig::version_1();
        let one_time = Curve25519PublicKey::from_base64(&bob.one_time)?;
        let identity = Curve25519PublicKey::from_base64(&bob.curve25519)?;
        let session = device
            .account
            .create_outbound_session(config, identity, one_time)?;
        Ok(Alice {
            device,
            session,
            bob,
        })
    }

    /// Alice's identity key, by which Bob addresses her.
    pub fn key(&self) -> String {
        self.device.account.curve25519_key().to_base64()
    }

    /// An encrypted event for Bob.
    pub fn event(&mut self, kind: Kind, key: &RoomKey) -> Result<Raw<AnyToDeviceEvent>> {
        let (kind, body) = self.session.encrypt(self.payload(kind, key)?)?.to_parts();
        let event = json!({
            "type": "m.room.encrypted",
            "sender": self.device.user,
            "content": {
                "algorithm": "m.olm.v1.curve25519-aes-sha2",
                "sender_key": self.key(),
                "ciphertext": {
                    &self.bob.curve25519: { "type": kind, "body": encode(&body) },
                },
            },
        });
        Ok(Raw::from_json_string(event.to_string())?)
    }

    fn payload(&self, kind: Kind, key: &RoomKey) -> Result<String> {
        let mut payload = json!({
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "room_id": key.room_id,
                "session_id": key.session_id,
                "session_key": key.session_key,
            },
            "keys": { "ed25519": self.device.account.ed25519_key().to_base64() },
            "recipient": BOB,
            "recipient_keys": { "ed25519": self.bob.ed25519 },
            "sender": self.device.user,
            "type": "com.example.note",
        });
        if kind == Kind::RoomKey {
            payload["type"] = "m.room_key".into();
            payload["sender_device_keys"] = self.device.keys.clone();
        }
        Ok(payload.to_string())
    }

    /// Decrypts what Bob wrote.
    pub fn read(&mut self, c: &Ciphertext) -> Result<()> {
        self.session.decrypt(&c.message()?)?;
        Ok(())
    }
}

impl Ciphertext {
    pub fn message(&self) -> Result<OlmMessage> {
        let body = matrix_sdk_crypto::vodozemac::base64_decode(&self.body)?;
        Ok(OlmMessage::from_parts(self.kind, &body)?)
    }
}

fn encode(body: &[u8]) -> String {
    matrix_sdk_crypto::vodozemac::base64_encode(body)
}
