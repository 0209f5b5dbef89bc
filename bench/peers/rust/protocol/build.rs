//! Tells programs which compiler they are built with.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").expect("RUSTC");
    let said = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc --version")
        .stdout;
    let version = String::from_utf8(said).expect("a version in UTF-8");
    println!(
        "cargo::rustc-env=RUSTC_VERSION={}",
        version.split_whitespace().nth(1).expect("a version")
    );
}
