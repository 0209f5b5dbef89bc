use std::{collections::BTreeMap, time::Instant};

use protocol::{DEVICES, Meter, Outcome, Result, Task};
use ruma::api::client::keys::claim_keys;
use serde_json::json;

use crate::{
    alice::Device,
    bob::{Bob, ciphertexts},
};

/// Measures sharing a room key with devices that there is no session with.
pub async fn measure(task: &Task) -> Result<Outcome> {
    let bob = Bob::open(&task.dir).await?;
    bob.upload().await?;
    let mut devices = Vec::with_capacity(DEVICES);
    let mut claims = BTreeMap::new();
    for i in 0..DEVICES {
        let mut d = Device::new(&format!("@user{i}:example.org"), "DEVICE")?;
        claims.insert(d.user.to_string(), json!({ d.id.as_str(): d.claimed()? }));
        devices.push(d);
    }
    bob.meet(&devices).await?;
    let claimed =
        claim_keys::v3::Response::new(serde_json::from_value(serde_json::to_value(claims)?)?);
    let users: Vec<_> = devices.iter().map(|d| d.user.as_ref()).collect();
    let mut meter = Meter::start(1);
    let began = Instant::now();
    let requests = bob
        .share("!crowd:example.org", &users, Some(&claimed))
        .await?;
    meter.called(began);
    let outcome = meter.stop(DEVICES);
    match ciphertexts(&requests)?.len() {
        DEVICES => Ok(outcome),
        n => Err(format!("{n} of {DEVICES} devices got a message").into()),
    }
}
