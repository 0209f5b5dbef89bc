//! matrix-sdk-crypto's OlmMachine on matrix-sdk-sqlite: what the Rust SDK does in
//! a sync, without a server. Alice, and everybody else, is vodozemac.

mod alice;
mod bob;
mod decrypt;
mod hold;
mod open;
mod room;
mod row;
mod shared;

use alice::Kind;
use protocol::{Command, Outcome, Result, Task};

#[tokio::main]
async fn main() -> Result<()> {
    match protocol::command()? {
        Command::List => protocol::print(&row::catalog()),
        Command::Run(task) => protocol::print(&run(task).await?),
        Command::Other(args) => match &args[..] {
            [hold, dir, name] if hold == "hold" => hold::hold(dir.as_ref(), name).await,
            _ => Err("matrix-sdk-crypto: there is nothing but list, run and hold DIR NAME".into()),
        },
    }
}

async fn run(task: Task) -> Result<Outcome> {
    match task.id.as_str() {
        "decrypt-1" => decrypt::measure(&task, Kind::Note, 1).await,
        "decrypt-100" => decrypt::measure(&task, Kind::Note, row::PER_SYNC).await,
        "room-key-1" => decrypt::measure(&task, Kind::RoomKey, 1).await,
        "room-key-100" => decrypt::measure(&task, Kind::RoomKey, row::PER_SYNC).await,
        "open" => open::open(&task).await,
        "share" => open::share(&task).await,
        "claim" => open::claim(&task).await,
        "missing" => open::missing(&task).await,
        "room-encrypt" => room::encrypt(&task).await,
        "room-decrypt" => room::decrypt(&task).await,
        "shared" => shared::measure(&task).await,
        _ => Err(format!("there is no {:?}", task.id).into()),
    }
}
