use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;

/// What messages are made of.
#[derive(Deserialize)]
pub struct Feed {
    format: u32,
    pub room_keys: Vec<RoomKey>,
}

/// A Megolm session at its beginning.
#[derive(Clone, Serialize, Deserialize)]
pub struct RoomKey {
    pub room_id: String,
    pub session_id: String,
    pub session_key: String,
}

impl Feed {
    /// Reads a feed's file and wants `n` room keys in it.
    pub fn load(path: &Path, n: usize) -> Result<Feed> {
        let feed: Feed = serde_json::from_slice(&std::fs::read(path)?)?;
        if feed.format != 1 || feed.room_keys.len() < n {
            return Err(format!(
                "feed of format {} with {} room keys, not 1 with {n}",
                feed.format,
                feed.room_keys.len()
            )
            .into());
        }
        Ok(feed)
    }
}
