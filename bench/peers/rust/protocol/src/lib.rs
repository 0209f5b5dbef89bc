//! The program's side of the protocol in ../../README.md: what it lists, the
//! task that it is given, and the meter for the part that counts.

mod catalog;
mod feed;
mod meter;
mod task;

pub use catalog::{Catalog, Entry, Params, Row, Version};
pub use feed::{Feed, RoomKey};
pub use meter::{Cost, Meter, Outcome, Run, Wrong};
pub use task::{Command, Task, command};

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

/// Names of the workloads, as package bench/peer has them.
pub mod workload {
    pub const DECRYPT: &str = "peers decrypt";
    pub const ROOM_KEY: &str = "peers room key";
    pub const OPEN: &str = "peers open";
    pub const SHARED: &str = "peers shared";
    pub const SHARE: &str = "peers share";
    pub const CLAIM: &str = "peers claim";
    pub const MISSING: &str = "peers missing";
    pub const ROOM_ENCRYPT: &str = "peers room encrypt";
    pub const ROOM_DECRYPT: &str = "peers room decrypt";
    pub const OLM: &str = "olm";
}

/// How many devices a message of [`workload::OPEN`] goes to, and a room key of
/// [`workload::SHARE`].
pub const DEVICES: usize = 163;

/// How many devices [`workload::MISSING`] looks at, of one user fewer.
pub const CROWD: usize = 2003;

/// The compiler that this was built with.
pub const RUSTC: &str = env!("RUSTC_VERSION");

/// Prints a document of the protocol.
pub fn print(document: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(document)?);
    Ok(())
}
