use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Instant;

use matrix_sdk_crypto::vodozemac::olm::OlmMessage;
use protocol::{Meter, Outcome, Result, RoomKey, Task, Wrong};

use crate::{
    alice::{Alice, Ciphertext, Kind},
    bob::acquainted,
    hold::{Answer, Holder},
};

/// In each, either process gets a message and writes one.
pub const ROUNDS: usize = 20;

/// Two processes on Bob's store, and Alice.
struct Story {
    alice: Alice,
    /// What Bob wrote and Alice has not got yet.
    late: Vec<Ciphertext>,
    /// What left under a message key, named by chain and index.
    used: HashMap<([u8; 32], u64), String>,
    wrong: Wrong,
    errors: BTreeSet<String>,
}

/// The correctness run.
pub async fn measure(task: &Task) -> Result<Outcome> {
    let mut story = Story::begin(&task.dir).await?;
    let mut holders = [
        Holder::start(&task.dir, "app")?,
        Holder::start(&task.dir, "extension")?,
    ];
    let rounds = task.messages.div_ceil(2);
    let mut meter = Meter::start(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        story.round(&mut holders)?;
        meter.called(began);
    }
    let mut outcome = meter.stop(4 * rounds);
    for holder in holders {
        holder.end()?;
    }
    story.epilogue(&task.dir)?;
    outcome.wrong = story.wrong;
    outcome.notes = story.errors.into_iter().collect();
    Ok(outcome)
}

impl Story {
    /// Bob has answered Alice, who has not got it yet.
    async fn begin(dir: &Path) -> Result<Story> {
        let (bob, mut alice) = acquainted(dir).await?;
        if bob
            .sync(vec![alice.event(Kind::Note, &nothing())?])
            .await?
            .decrypted
            != 1
        {
            return Err("bob cannot read the second message".into());
        }
        let reply = bob.write("!second:example.org", &alice.device).await?;
        let mut story = Story {
            alice,
            late: Vec::new(),
            used: HashMap::new(),
            wrong: Wrong::default(),
            errors: BTreeSet::new(),
        };
        story.see(reply)?;
        Ok(story)
    }

    fn round(&mut self, holders: &mut [Holder; 2]) -> Result<()> {
        self.receive(holders, 0)?;
        self.receive(holders, 1)?;
        for holder in holders {
            self.send(holder)?;
        }
        self.catch_up();
        Ok(())
    }

    /// Gives a message to a process, and if it cannot read it, to the other.
    fn receive(&mut self, holders: &mut [Holder; 2], first: usize) -> Result<()> {
        let event = self.alice.event(Kind::Note, &nothing())?;
        for i in [first, 1 - first] {
            let answer = holders[i].read(event.clone())?;
            if self.was_read(answer) {
                return Ok(());
            }
        }
        self.wrong.lost += 1;
        Ok(())
    }

    fn was_read(&mut self, answer: Answer) -> bool {
        match answer {
            Answer::Read(read) => read,
            Answer::Failed(why) => {
                self.errors.insert(format!("Bob: {why}"));
                false
            }
            Answer::Wrote(_) => false,
        }
    }

    /// Makes a process write to Alice.
    fn send(&mut self, holder: &mut Holder) -> Result<()> {
        match holder.write(&self.alice.device)? {
            Answer::Wrote(c) => return self.see(c),
            Answer::Failed(why) => {
                self.errors.insert(format!("Bob: {why}"));
            }
            Answer::Read(_) => {}
        }
        self.wrong.lost += 1;
        Ok(())
    }

    /// Counts a ciphertext whose message key another one left under.
    fn see(&mut self, c: Ciphertext) -> Result<()> {
        let message = match c.message()? {
            OlmMessage::Normal(m) => m,
            OlmMessage::PreKey(m) => m.message().clone(),
        };
        let slot = (message.ratchet_key().to_bytes(), message.chain_index());
        if self
            .used
            .insert(slot, c.body.clone())
            .is_some_and(|before| before != c.body)
        {
            self.wrong.reused += 1;
        }
        self.late.push(c);
        Ok(())
    }

    /// Alice gets what Bob wrote.
    fn catch_up(&mut self) {
        for c in std::mem::take(&mut self.late) {
            if let Err(err) = self.alice.read(&c) {
                self.errors.insert(format!("Alice: {err}"));
                self.wrong.lost += 1;
            }
        }
    }

    /// A new process reads one more message and writes one. If either fails, the
    /// session is wedged. What it loses is not counted again.
    fn epilogue(&mut self, dir: &Path) -> Result<()> {
        let lost = self.wrong.lost;
        let mut holder = Holder::start(dir, "last")?;
        let event = self.alice.event(Kind::Note, &nothing())?;
        let answer = holder.read(event)?;
        let read = self.was_read(answer);
        self.send(&mut holder)?;
        self.catch_up();
        if !read || self.wrong.lost > lost {
            self.wrong.wedged += 1;
        }
        self.wrong.lost = lost;
        holder.end()
    }
}

/// What is written does not matter here.
fn nothing() -> RoomKey {
    RoomKey {
        room_id: String::new(),
        session_id: String::new(),
        session_key: String::new(),
    }
}
