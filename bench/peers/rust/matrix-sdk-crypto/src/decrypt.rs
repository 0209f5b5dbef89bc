use std::time::Instant;

use protocol::{Feed, Meter, Outcome, Result, Task};

use crate::{alice::Kind, bob::acquainted};

/// Measures syncs of `batch` events.
pub async fn measure(task: &Task, kind: Kind, batch: usize) -> Result<Outcome> {
    let feed = Feed::load(&task.feed, task.messages)?;
    let (bob, mut alice) = acquainted(&task.dir).await?;
    let mut keys = feed.room_keys.iter().cycle();
    let mut syncs = Vec::new();
    for _ in 0..task.messages.div_ceil(batch) {
        let events = keys.by_ref().take(batch).map(|key| alice.event(kind, key));
        syncs.push(events.collect::<Result<Vec<_>>>()?);
    }
    let messages = syncs.len() * batch;
    let (mut decrypted, mut room_keys) = (0, 0);
    let mut meter = Meter::start(syncs.len());
    for events in syncs {
        let began = Instant::now();
        let synced = bob.sync(events).await?;
        meter.called(began);
        decrypted += synced.decrypted;
        room_keys += synced.room_keys;
    }
    let outcome = meter.stop(messages);
    if decrypted != messages || kind == Kind::RoomKey && room_keys != messages {
        return Err(format!(
            "{decrypted} of {messages} were decrypted, {room_keys} room keys stored"
        )
        .into());
    }
    Ok(outcome)
}
