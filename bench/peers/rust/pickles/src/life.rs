//! The life of a device, as a macro: each version has types of its own.

/// Makes a module for a version of vodozemac whose function live returns a fixture.
macro_rules! life {
    ($name:ident, $vodozemac:ident, [$($fails:tt)?], [$($config:tt)*]) => {
        mod $name {
            use serde_json::{Value, json};
            use $vodozemac::megolm::{
                GroupSession, InboundGroupSession, SessionConfig as GroupConfig,
            };
            use $vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};
            use $vodozemac::{Curve25519PublicKey, base64_encode};

            use crate::Result;

            /// The key of all pickles.
            const KEY: [u8; 32] = *b"a pickle key has thirty-two byte";

            fn send(s: &mut Session, text: &str) -> Result<OlmMessage> {
                Ok(s.encrypt(text)$($fails)?)
            }

            fn open(a: &Account, to: &Device, key: Curve25519PublicKey) -> Result<Session> {
                let config = SessionConfig::version_1();
                let peer = to.account.curve25519_key();
                Ok(a.create_outbound_session(config, peer, key)$($fails)?)
            }

            fn accept(a: &mut Account, from: &Device, m: &OlmMessage) -> Result<Session> {
                let OlmMessage::PreKey(m) = m else {
                    return Err("no pre-key message".into());
                };
                let peer = from.account.curve25519_key();
                Ok(a.create_inbound_session($($config)* peer, m)?.session)
            }

            /// A device with keys that are published, the oldest first.
            struct Device {
                account: Account,
                keys: Vec<Curve25519PublicKey>,
            }

            impl Device {
                fn new() -> Device {
                    let mut account = Account::new();
                    let keys = publish(&mut account, 10);
                    Device { account, keys }
                }
            }

            fn publish(a: &mut Account, n: usize) -> Vec<Curve25519PublicKey> {
                let keys = a.generate_one_time_keys(n).created;
                a.mark_keys_as_published();
                keys
            }

            fn fallback(a: &mut Account) -> Result<Curve25519PublicKey> {
                a.generate_fallback_key();
                let key = a.fallback_key().values().next().copied().ok_or("no fallback key")?;
                a.mark_keys_as_published();
                Ok(key)
            }

            fn message(m: &OlmMessage, text: &str) -> Value {
                let (kind, body) = m.clone().to_parts();
                json!({"type": kind, "body": base64_encode(body), "text": text})
            }

            /// A session of ours, what the peer sent in it that we have not read, and
            /// what the old program would send next, where that takes nothing random.
            fn pickled(name: &str, s: &Session, peer: &Device, theirs: &mut Session, unread: Vec<Value>, next: bool) -> Result<Value> {
                let mut unread = unread;
                let mut sent = Value::Null;
                if next {
                    let m = send(&mut Session::from_pickle(s.pickle()), "what comes next")?;
                    if theirs.decrypt(&m)? != b"what comes next" {
                        return Err("the peer reads something else".into());
                    }
                    sent = message(&m, "what comes next");
                    // The peer answers what it has read in a chain of its own.
                    for text in ["an answer", "another answer"] {
                        unread.push(message(&send(theirs, text)?, text));
                    }
                }
                Ok(json!({
                    "name": name, "peer": peer.account.curve25519_key().to_base64(), "id": s.session_id(),
                    "pickle": s.pickle().encrypt(&KEY), "next": sent, "unread": unread,
                }))
            }

            /// We opened it, sent twice, and the peer has answered nothing yet.
            fn unanswered(us: &Account) -> Result<Value> {
                let mut peer = Device::new();
                let mut ours = open(us, &peer, peer.keys[0])?;
                let first = send(&mut ours, "first")?;
                send(&mut ours, "lost")?;
                let mut theirs = accept(&mut peer.account, &Device { account: copy(us), keys: vec![] }, &first)?;
                pickled("unanswered", &ours, &peer, &mut theirs, vec![], true)
            }

            /// The peer opened it; we read some, skipped some, and have not written.
            fn silent(us: &mut Account, key: Curve25519PublicKey) -> Result<Value> {
                let peer = Device::new();
                let to = Device { account: copy(us), keys: vec![] };
                let mut theirs = open(&peer.account, &to, key)?;
                let sent = (0..6).map(|i| send(&mut theirs, &format!("{i}"))).collect::<Result<Vec<_>>>()?;
                let mut ours = accept(us, &peer, &sent[0])?;
                ours.decrypt(&sent[4])?;
                let unread = [1, 2, 3, 5].map(|i| message(&sent[i], &format!("{i}"))).to_vec();
                pickled("silent", &ours, &peer, &mut theirs, unread, false)
            }

            /// Eight turns, in each of which messages are skipped: the first chains are
            /// forgotten. It ends with a message of ours.
            fn long(us: &mut Account, key: Curve25519PublicKey) -> Result<Value> {
                let peer = Device::new();
                let to = Device { account: copy(us), keys: vec![] };
                let mut theirs = open(&peer.account, &to, key)?;
                let mut ours = accept(us, &peer, &send(&mut theirs, "hello")?)?;
                let mut unread = vec![];
                for turn in 0..8 {
                    theirs.decrypt(&send(&mut ours, "turn")?)?;
                    let skipped = (0..5).map(|i| send(&mut theirs, &format!("{turn} {i}"))).collect::<Result<Vec<_>>>()?;
                    ours.decrypt(&skipped[4])?;
                    if turn >= 4 {
                        // Older ones are of chains that are forgotten by the end.
                        unread.push(message(&skipped[0], &format!("{turn} 0")));
                        unread.push(message(&skipped[3], &format!("{turn} 3")));
                    }
                }
                theirs.decrypt(&send(&mut ours, "the last turn")?)?;
                pickled("long", &ours, &peer, &mut theirs, unread, true)
            }

            fn copy(a: &Account) -> Account {
                Account::from_pickle(a.pickle())
            }

            /// A first message that comes after the pickle.
            fn first(us: &Account, key: Curve25519PublicKey, with: &str) -> Result<Value> {
                let peer = Device::new();
                let to = Device { account: copy(us), keys: vec![] };
                let mut theirs = open(&peer.account, &to, key)?;
                let m = message(&send(&mut theirs, with)?, with);
                Ok(json!({"peer": peer.account.curve25519_key().to_base64(), "message": m}))
            }

            fn groups() -> Result<(Value, Value)> {
                let mut sender = GroupSession::new(GroupConfig::version_1());
                for _ in 0..3 {
                    sender.encrypt("before");
                }
                let shared = sender.session_key();
                let mut inbound = InboundGroupSession::new(&shared, GroupConfig::version_1());
                let messages = (3..6).map(|i| {
                    let text = format!("message {i}");
                    json!({"index": i, "body": sender.encrypt(&text).to_base64(), "text": text})
                }).collect::<Vec<_>>();
                let export = inbound.export_at(3).ok_or("no export")?;
                let imported = InboundGroupSession::import(&export, GroupConfig::version_1());
                let inbound = json!({
                    "id": sender.session_id(), "pickle": inbound.pickle().encrypt(&KEY),
                    "imported_pickle": imported.pickle().encrypt(&KEY), "messages": messages,
                });
                let pickle = sender.pickle().encrypt(&KEY);
                let session_key = sender.session_key().to_base64();
                let outbound = json!({
                    "id": sender.session_id(), "pickle": pickle, "session_key": session_key,
                    "messages": [{"index": 6, "body": sender.encrypt("message 6").to_base64(), "text": "message 6"}],
                });
                Ok((inbound, outbound))
            }

            pub fn live() -> Result<Value> {
                let mut us = Account::new();
                let keys = publish(&mut us, 8);
                let previous = fallback(&mut us)?;
                let current = fallback(&mut us)?;
                let sessions = vec![unanswered(&us)?, silent(&mut us, keys[0])?, long(&mut us, keys[1])?];
                let unpublished = us.generate_one_time_keys(3).created;
                let base64 = |keys: &[Curve25519PublicKey]| keys.iter().map(|k| k.to_base64()).collect::<Vec<_>>();
                let first = vec![
                    first(&us, keys[4], "by a one-time key")?,
                    first(&us, current, "by the fallback key")?,
                    first(&us, previous, "by the one before")?,
                ];
                let (inbound, outbound) = groups()?;
                let libolm = us.to_libolm_pickle(&KEY)?;
                let expanded = Account::from_libolm_pickle(&libolm, &KEY)?;
                Ok(json!({
                    "vodozemac": $vodozemac::VERSION, "key": base64_encode(KEY),
                    "account": {
                        "curve25519": us.curve25519_key().to_base64(), "ed25519": us.ed25519_key().to_base64(),
                        "pickle": us.pickle().encrypt(&KEY), "expanded_pickle": expanded.pickle().encrypt(&KEY),
                        "libolm_pickle": libolm,
                        "published": base64(&keys[2..]), "unpublished": base64(&unpublished),
                        "fallback": current.to_base64(), "previous_fallback": previous.to_base64(),
                        "signed": "a text", "signature": us.sign("a text").to_base64(),
                    },
                    "sessions": sessions, "first": first, "inbound": inbound, "outbound": outbound,
                }))
            }
        }
    };
}
