use std::time::Instant;

use matrix_sdk_crypto::vodozemac::megolm::{GroupSession, SessionConfig};
use protocol::{Meter, Outcome, Result, RoomKey, Task};
use ruma::{room_id, serde::Raw};
use serde_json::{Value, json};

use crate::{alice::Kind, bob::acquainted};

/// The content of the events: 200 characters.
fn said() -> Value {
    json!({ "body": "ten chars ".repeat(20), "msgtype": "m.text" })
}

/// Measures encrypting events, after the room's key was shared with Alice.
pub async fn encrypt(task: &Task) -> Result<Outcome> {
    let (bob, alice) = acquainted(&task.dir).await?;
    let room = room_id!("!of_forty_characters_in_all:example.org");
    bob.share(room.as_str(), &[&alice.device.user], None)
        .await?;
    let content = Raw::from_json_string(said().to_string())?;
    let mut meter = Meter::start(task.messages);
    for _ in 0..task.messages {
        let began = Instant::now();
        bob.write_room(room, &content).await?;
        meter.called(began);
    }
    Ok(meter.stop(task.messages))
}

/// Measures decrypting Alice's events, one after the other.
pub async fn decrypt(task: &Task) -> Result<Outcome> {
    let (bob, mut alice) = acquainted(&task.dir).await?;
    let room = room_id!("!of_forty_characters_in_all:example.org");
    let mut session = GroupSession::new(SessionConfig::version_1());
    let key = RoomKey {
        room_id: room.to_string(),
        session_id: session.session_id(),
        session_key: session.session_key().to_base64(),
    };
    let shared = alice.event(Kind::RoomKey, &key)?;
    if bob.sync(vec![shared]).await?.room_keys != 1 {
        return Err("bob does not take the room's key".into());
    }
    let payload =
        json!({ "type": "m.room.message", "content": said(), "room_id": room }).to_string();
    let mut events = Vec::with_capacity(task.messages);
    for i in 0..task.messages {
        let event = json!({
            "type": "m.room.encrypted",
            "event_id": format!("${i:043}"),
            "sender": alice.device.user,
            "origin_server_ts": 1_800_000_000_000u64,
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "sender_key": alice.key(),
                "device_id": alice.device.id,
                "session_id": key.session_id,
                "ciphertext": session.encrypt(&payload).to_base64(),
            },
        });
        events.push(Raw::from_json_string(event.to_string())?);
    }
    let mut meter = Meter::start(events.len());
    for event in &events {
        let began = Instant::now();
        bob.read_room(room, event).await?;
        meter.called(began);
    }
    Ok(meter.stop(events.len()))
}
