//! Makes the fixtures of internal/pickle/vodozemac: what a device pickled with
//! vodozemac 0.9, 0.10 and 0.11, and what its peers sent it afterwards.
//!
//!     cargo run --release --locked -p pickles -- DIR
//!
//! writes DIR/0.9.0.json and so on. Keys are random, so each run makes others.

#[macro_use]
mod life;

// What differs between the versions: whether encrypting and opening can fail, and
// what accepting a session takes first.
life!(v0_9, vodozemac_0_9, [], []);
life!(v0_10, vodozemac_0_10, [?], [SessionConfig::version_1(),]);
life!(v0_11, vodozemac_0_11, [?], [SessionConfig::version_1(),]);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let dir = std::env::args().nth(1).ok_or("usage: pickles DIR")?;
    for (version, life) in [
        ("0.9.0", v0_9::live()?),
        ("0.10.0", v0_10::live()?),
        ("0.11.1", v0_11::live()?),
    ] {
        let text = serde_json::to_string_pretty(&life)? + "\n";
        std::fs::write(format!("{dir}/{version}.json"), text)?;
    }
    Ok(())
}
