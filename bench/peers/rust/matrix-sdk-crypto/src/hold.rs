use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use protocol::Result;
use ruma::{OwnedUserId, events::AnyToDeviceEvent, serde::Raw};
use serde::{Deserialize, Serialize};

use crate::{
    alice::{Ciphertext, Device},
    bob::Bob,
};

/// A line to a process that holds the store.
#[derive(Serialize, Deserialize)]
enum Order {
    Read(Raw<AnyToDeviceEvent>),
    /// To the user's device with this identity key.
    Write(OwnedUserId, String),
}

/// A line back.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    /// Whether the event was decrypted.
    Read(bool),
    Wrote(Ciphertext),
    Failed(String),
}

/// Opens the store and does what the lines of standard input say, until they end.
pub async fn hold(dir: &Path, name: &str) -> Result<()> {
    let bob = Bob::open(dir).await?;
    for (n, line) in std::io::stdin().lines().enumerate() {
        let answer = match obey(
            &bob,
            serde_json::from_str(&line?)?,
            &format!("!{name}{n}:example.org"),
        )
        .await
        {
            Ok(answer) => answer,
            Err(err) => Answer::Failed(err.to_string()),
        };
        println!("{}", serde_json::to_string(&answer)?);
    }
    Ok(())
}

async fn obey(bob: &Bob, order: Order, room: &str) -> Result<Answer> {
    Ok(match order {
        Order::Read(event) => Answer::Read(bob.sync(vec![event]).await?.decrypted == 1),
        Order::Write(user, key) => Answer::Wrote(bob.write_to(room, &user, &key).await?),
    })
}

/// A process that holds a store.
pub struct Holder {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Holder {
    pub fn start(dir: &Path, name: &str) -> Result<Holder> {
        let mut child = std::process::Command::new(std::env::current_exe()?)
            .arg("hold")
            .arg(dir)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Holder { child, to, from })
    }

    pub fn read(&mut self, event: Raw<AnyToDeviceEvent>) -> Result<Answer> {
        self.ask(&Order::Read(event))
    }

    pub fn write(&mut self, to: &Device) -> Result<Answer> {
        self.ask(&Order::Write(
            to.user.clone(),
            to.account.curve25519_key().to_base64(),
        ))
    }

    fn ask(&mut self, order: &Order) -> Result<Answer> {
        let to = self.to.as_mut().ok_or("the process was ended")?;
        writeln!(to, "{}", serde_json::to_string(order)?)?;
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err("the process that holds the store is gone".into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Closes the process's store and waits.
    pub fn end(mut self) -> Result<()> {
        drop(self.to.take());
        match self.child.wait()? {
            status if status.success() => Ok(()),
            status => Err(format!("the process that held the store: {status}").into()),
        }
    }
}
