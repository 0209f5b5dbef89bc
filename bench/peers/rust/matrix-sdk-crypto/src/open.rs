use std::{collections::BTreeMap, path::Path, time::Instant};

use protocol::{DEVICES, Meter, Outcome, Result, Task};
use ruma::{UserId, api::client::keys::claim_keys};
use serde_json::{Value, json};

use crate::{
    alice::Device,
    bob::{Bob, ciphertexts},
};

/// Devices that Bob has met and has no session with, and a key of each.
struct Crowd {
    bob: Bob,
    devices: Vec<Device>,
    claimed: claim_keys::v3::Response,
}

impl Crowd {
    /// Each device is of a user of its own, but for the last, which is of the first
    /// user.
    async fn gather(dir: &Path, n: usize) -> Result<Crowd> {
        let bob = Bob::open(dir).await?;
        bob.upload().await?;
        let mut devices = Vec::with_capacity(n);
        let mut claims = BTreeMap::<String, BTreeMap<String, Value>>::new();
        for i in 0..n {
            let (user, id) = match i + 1 == n {
                true => ("@user0:example.org".to_owned(), "SECOND"),
                false => (format!("@user{i}:example.org"), "DEVICE"),
            };
            let mut d = Device::new(&user, id)?;
            claims
                .entry(user)
                .or_default()
                .insert(id.to_owned(), json!(d.claimed()?));
            devices.push(d);
        }
        bob.meet(&devices).await?;
        let claimed =
            claim_keys::v3::Response::new(serde_json::from_value(serde_json::to_value(claims)?)?);
        Ok(Crowd {
            bob,
            devices,
            claimed,
        })
    }

    fn users(&self) -> Vec<&UserId> {
        let mut users: Vec<_> = self.devices.iter().map(|d| d.user.as_ref()).collect();
        users.sort_unstable();
        users.dedup();
        users
    }
}

/// Measures sharing a room key with devices that there is no session with.
pub async fn open(task: &Task) -> Result<Outcome> {
    let crowd = Crowd::gather(&task.dir, DEVICES).await?;
    let users = crowd.users();
    let mut meter = Meter::start(1);
    let began = Instant::now();
    let requests = crowd
        .bob
        .share("!crowd:example.org", &users, Some(&crowd.claimed))
        .await?;
    meter.called(began);
    let outcome = meter.stop(DEVICES);
    match ciphertexts(&requests)?.len() {
        DEVICES => Ok(outcome),
        n => Err(format!("{n} of {DEVICES} devices got a message").into()),
    }
}

/// Measures giving a room's key to devices, with all of which there are sessions;
/// room after room.
pub async fn share(task: &Task) -> Result<Outcome> {
    let crowd = Crowd::gather(&task.dir, DEVICES).await?;
    let (bob, users) = (&crowd.bob, crowd.users());
    bob.share("!crowd:example.org", &users, Some(&crowd.claimed))
        .await?;
    let rooms = (task.messages / DEVICES).max(1);
    let mut told = 0;
    let mut meter = Meter::start(rooms);
    for i in 0..rooms {
        let began = Instant::now();
        let requests = bob
            .share(&format!("!room{i}:example.org"), &users, None)
            .await?;
        meter.called(began);
        told += ciphertexts(&requests)?.len();
    }
    let outcome = meter.stop(rooms * DEVICES);
    match told == rooms * DEVICES {
        true => Ok(outcome),
        false => Err(format!("{told} devices were given a key").into()),
    }
}

/// Measures opening sessions with the keys that were claimed.
pub async fn claim(task: &Task) -> Result<Outcome> {
    let crowd = Crowd::gather(&task.dir, DEVICES).await?;
    let (bob, users) = (&crowd.bob, crowd.users());
    let (id, _) = bob.missing(&users).await?.ok_or("no session is missing")?;
    let mut meter = Meter::start(1);
    let began = Instant::now();
    bob.claimed(&id, &crowd.claimed).await?;
    meter.called(began);
    let outcome = meter.stop(DEVICES);
    match bob.missing(&users).await? {
        None => Ok(outcome),
        Some(_) => Err("sessions are missing still".into()),
    }
}

/// Measures finding out with which devices there is no session: all of them.
pub async fn missing(task: &Task) -> Result<Outcome> {
    let n = task.messages.max(2);
    let crowd = Crowd::gather(&task.dir, n).await?;
    let users = crowd.users();
    let mut meter = Meter::start(1);
    let began = Instant::now();
    let found = crowd.bob.missing(&users).await?;
    meter.called(began);
    let outcome = meter.stop(n);
    let (_, request) = found.ok_or("no session is missing")?;
    let found: usize = request.one_time_keys.values().map(|d| d.len()).sum();
    match found == n {
        true => Ok(outcome),
        false => Err(format!("{found} of {n} devices were found to lack a session").into()),
    }
}
