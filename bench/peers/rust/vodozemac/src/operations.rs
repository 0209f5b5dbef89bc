use protocol::{DEVICES, Result};
use serde_json::{Map, Value, json};
use vodozemac::megolm::{GroupSession, InboundGroupSession, MegolmMessage};
use vodozemac::olm::{Account, PreKeyMessage, Session, SessionConfig, SessionPickle};
use vodozemac::{Curve25519PublicKey, Ed25519Signature};

use crate::pair::{Device, Pair, TEXT, Wire, copies, decrypt, encrypt};

/// What is done, for the i-th time. It returns how much, so that nothing of it
/// can be left out.
type Once = Box<dyn FnMut(usize) -> Result<usize>>;

/// A row of the table, named as in bench/peers.
pub struct Operation {
    pub name: &'static str,
    pub per_run: usize,
    /// Makes everything that n operations need.
    pub prepare: fn(usize) -> Result<Once>,
}

const fn operation(
    name: &'static str,
    per_run: usize,
    prepare: fn(usize) -> Result<Once>,
) -> Operation {
    Operation {
        name,
        per_run,
        prepare,
    }
}

pub const OPERATIONS: [Operation; 12] = [
    operation("in-chain encrypt (state in hand)", 8000, encrypt_held),
    operation("in-chain decrypt (state in hand)", 8000, decrypt_held),
    operation("decrypt with a DH step", 1000, decrypt_turn),
    operation("new session inbound + decrypt", 400, open_inbound),
    operation("new session outbound + encrypt", 250, open_outbound),
    operation("163 claims into sessions", 2, claims),
    operation("50 one-time keys", 25, make_keys),
    operation("encode + seal, open + decode", 6000, store_load),
    operation("decrypt skipping 39", 1000, decrypt_skip),
    operation("Megolm encrypt", 2000, megolm_encrypt),
    operation("Megolm decrypt", 1000, megolm_decrypt),
    operation("Megolm advance 10,000", 2000, megolm_advance),
];

const KEYS_AT_ONCE: usize = 50;
const SKIP_AT_ONCE: usize = 39;
const MEGOLM_MESSAGES: usize = 100;
const MEGOLM_AHEAD: u32 = 10_000;

fn encrypt_held(_: usize) -> Result<Once> {
    let mut pair = Pair::new()?;
    Ok(Box::new(move |_| {
        Ok(match encrypt(&mut pair.alice)? {
            Wire::PreKey(m) | Wire::Normal(m) => m.len(),
        })
    }))
}

fn decrypt_held(n: usize) -> Result<Once> {
    let mut pair = Pair::new()?;
    let messages = (0..n)
        .map(|_| encrypt(&mut pair.alice))
        .collect::<Result<Vec<_>>>()?;
    Ok(Box::new(move |i| {
        Ok(decrypt(&mut pair.bob, &messages[i])?.len())
    }))
}

/// Each copy decrypts the first message of a new chain.
fn decrypt_turn(n: usize) -> Result<Once> {
    let mut pair = Pair::new()?;
    pair.reply()?;
    let message = encrypt(&mut pair.alice)?;
    each_copy(&pair.bob, n, message)
}

/// Each copy decrypts a message with 39 missing before it.
fn decrypt_skip(n: usize) -> Result<Once> {
    let mut pair = Pair::new()?;
    for _ in 0..SKIP_AT_ONCE {
        encrypt(&mut pair.alice)?;
    }
    let message = encrypt(&mut pair.alice)?;
    each_copy(&pair.bob, n, message)
}

fn each_copy(bob: &Session, n: usize, message: Wire) -> Result<Once> {
    let mut bobs = copies(bob, n)?;
    Ok(Box::new(
        move |i| Ok(decrypt(&mut bobs[i], &message)?.len()),
    ))
}

/// Each copy of an account opens the session. vodozemac decrypts the first
/// message and removes the one-time key in the same call.
fn open_inbound(n: usize) -> Result<Once> {
    let (from, to) = (Device::new()?, Device::new()?);
    let Wire::PreKey(first) = encrypt(&mut from.outbound(&to)?)? else {
        return Err("the first message is no pre-key message".into());
    };
    let pickle = serde_json::to_string(&to.account.pickle())?;
    let mut accounts = (0..n)
        .map(|_| Ok(Account::from_pickle(serde_json::from_str(&pickle)?)))
        .collect::<Result<Vec<_>>>()?;
    let sender = from.account.curve25519_key();
    Ok(Box::new(move |i| {
        let message = PreKeyMessage::from_base64(&first)?;
        let config = SessionConfig::version_1();
        Ok(accounts[i]
            .create_inbound_session(config, sender, &message)?
            .plaintext
            .len())
    }))
}

fn open_outbound(_: usize) -> Result<Once> {
    let (from, to) = (Device::new()?, Device::new()?);
    Ok(Box::new(move |_| {
        Ok(match encrypt(&mut from.outbound(&to)?)? {
            Wire::PreKey(m) | Wire::Normal(m) => m.len(),
        })
    }))
}

/// Each claimed key is read from JSON, its signature verified, and a session opened.
fn claims(_: usize) -> Result<Once> {
    let (from, to) = (Device::new()?, Device::new()?);
    let mut key = json!({ "key": to.one_time.to_base64() });
    let signature = to.account.sign(key.to_string());
    key["signatures"] = json!({ "@bob:example.org": { "ed25519:DEVICE": signature.to_base64() } });
    let claimed = key.to_string();
    Ok(Box::new(move |_| {
        let mut opened = 0;
        for _ in 0..DEVICES {
            let session = open_claimed(&from, &to, &claimed)?;
            opened += session.session_id().len();
        }
        Ok(opened)
    }))
}

fn open_claimed(from: &Device, to: &Device, claimed: &str) -> Result<Session> {
    let mut key: Map<String, Value> = serde_json::from_str(claimed)?;
    let signatures = key.remove("signatures").ok_or("no signatures")?;
    let signature = signatures["@bob:example.org"]["ed25519:DEVICE"]
        .as_str()
        .ok_or("no signature")?;
    // A map is ordered, and this one's canonical form as it is.
    let signed = serde_json::to_string(&key)?;
    to.account.ed25519_key().verify(
        signed.as_bytes(),
        &Ed25519Signature::from_base64(signature)?,
    )?;
    let one_time = key["key"].as_str().ok_or("no key")?;
    Ok(from.account.create_outbound_session(
        SessionConfig::version_1(),
        to.account.curve25519_key(),
        Curve25519PublicKey::from_base64(one_time)?,
    )?)
}

fn make_keys(n: usize) -> Result<Once> {
    let mut accounts: Vec<Account> = (0..n).map(|_| Account::new()).collect();
    Ok(Box::new(move |i| {
        Ok(accounts[i]
            .generate_one_time_keys(KEYS_AT_ONCE)
            .created
            .len())
    }))
}

/// A session to its encrypted pickle and back.
fn store_load(_: usize) -> Result<Once> {
    let pair = Pair::new()?;
    let key = *b"a key for pickles, 32 bytes long";
    Ok(Box::new(move |_| {
        let pickle = pair.bob.pickle().encrypt(&key);
        let session = Session::from_pickle(SessionPickle::from_encrypted(&pickle, &key)?);
        Ok(pickle.len() + usize::from(session.has_received_message()))
    }))
}

fn megolm() -> GroupSession {
    GroupSession::new(vodozemac::megolm::SessionConfig::version_1())
}

/// Readers of a session from its first message on.
fn readers(session: &GroupSession, n: usize) -> Vec<InboundGroupSession> {
    let key = session.session_key();
    (0..n)
        .map(|_| InboundGroupSession::new(&key, vodozemac::megolm::SessionConfig::version_1()))
        .collect()
}

fn megolm_encrypt(_: usize) -> Result<Once> {
    let mut session = megolm();
    Ok(Box::new(move |_| {
        Ok(session.encrypt(TEXT).to_base64().len())
    }))
}

/// Each reader reads the messages of a session in order.
fn megolm_decrypt(n: usize) -> Result<Once> {
    let mut session = megolm();
    let mut readers = readers(&session, n / MEGOLM_MESSAGES + 1);
    let messages: Vec<String> = (0..MEGOLM_MESSAGES)
        .map(|_| session.encrypt(TEXT).to_base64())
        .collect();
    Ok(Box::new(move |i| {
        let message = MegolmMessage::from_base64(&messages[i % MEGOLM_MESSAGES])?;
        Ok(readers[i / MEGOLM_MESSAGES]
            .decrypt(&message)?
            .plaintext
            .len())
    }))
}

/// Each reader gives the key away at a later index.
fn megolm_advance(n: usize) -> Result<Once> {
    let mut readers = readers(&megolm(), n);
    Ok(Box::new(move |i| {
        Ok(readers[i]
            .export_at(MEGOLM_AHEAD)
            .ok_or("the key does not reach so far")?
            .to_base64()
            .len())
    }))
}
