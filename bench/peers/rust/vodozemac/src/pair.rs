use protocol::Result;
use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{
    Account, Message, OlmMessage, PreKeyMessage, Session, SessionConfig, SessionPickle,
};

/// What is encrypted: 1 KiB.
pub const TEXT: [u8; 1024] = [0; 1024];

/// A message as an event carries it.
#[derive(Clone)]
pub enum Wire {
    PreKey(String),
    Normal(String),
}

/// An account and one of its one-time keys.
pub struct Device {
    pub account: Account,
    pub one_time: Curve25519PublicKey,
}

impl Device {
    pub fn new() -> Result<Device> {
        let mut account = Account::new();
        account.generate_one_time_keys(1);
        let one_time = *account
            .one_time_keys()
            .values()
            .next()
            .ok_or("no one-time key")?;
        Ok(Device { account, one_time })
    }

    pub fn outbound(&self, to: &Device) -> Result<Session> {
        let config = SessionConfig::version_1();
        Ok(self.account.create_outbound_session(
            config,
            to.account.curve25519_key(),
            to.one_time,
        )?)
    }
}

/// Two devices; both sides of the session have received, and Alice's next message
/// continues a chain.
pub struct Pair {
    pub alice: Session,
    pub bob: Session,
}

impl Pair {
    pub fn new() -> Result<Pair> {
        let (from, mut to) = (Device::new()?, Device::new()?);
        let mut alice = from.outbound(&to)?;
        let Wire::PreKey(first) = encrypt(&mut alice)? else {
            return Err("the first message is no pre-key message".into());
        };
        let inbound = to.account.create_inbound_session(
            SessionConfig::version_1(),
            from.account.curve25519_key(),
            &PreKeyMessage::from_base64(&first)?,
        )?;
        let mut pair = Pair {
            alice,
            bob: inbound.session,
        };
        pair.reply()?;
        pass(&mut pair.alice, &mut pair.bob)?;
        Ok(pair)
    }

    /// Bob writes and Alice reads.
    pub fn reply(&mut self) -> Result<()> {
        pass(&mut self.bob, &mut self.alice)
    }
}

fn pass(from: &mut Session, to: &mut Session) -> Result<()> {
    let message = encrypt(from)?;
    decrypt(to, &message)?;
    Ok(())
}

pub fn encrypt(session: &mut Session) -> Result<Wire> {
    Ok(match session.encrypt(TEXT)? {
        OlmMessage::PreKey(m) => Wire::PreKey(m.to_base64()),
        OlmMessage::Normal(m) => Wire::Normal(m.to_base64()),
    })
}

pub fn decrypt(session: &mut Session, message: &Wire) -> Result<Vec<u8>> {
    let message = match message {
        Wire::PreKey(m) => OlmMessage::PreKey(PreKeyMessage::from_base64(m)?),
        Wire::Normal(m) => OlmMessage::Normal(Message::from_base64(m)?),
    };
    Ok(session.decrypt(&message)?)
}

/// Copies of a session, by way of its pickle.
pub fn copies(session: &Session, n: usize) -> Result<Vec<Session>> {
    let pickle = serde_json::to_string(&session.pickle())?;
    (0..n)
        .map(|_| {
            Ok(Session::from_pickle(serde_json::from_str::<SessionPickle>(
                &pickle,
            )?))
        })
        .collect()
}
