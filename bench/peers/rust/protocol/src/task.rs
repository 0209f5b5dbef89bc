use std::path::PathBuf;

use crate::Result;

const USAGE: &str = "usage: PROGRAM list | PROGRAM run ID -dir DIR -feed FILE -messages N";

/// What the arguments ask for.
pub enum Command {
    List,
    Run(Task),
    /// Anything else, for the program itself.
    Other(Vec<String>),
}

/// One repetition of an entry.
pub struct Task {
    pub id: String,
    pub dir: PathBuf,
    pub feed: PathBuf,
    pub messages: usize,
}

/// Reads this process's arguments.
pub fn command() -> Result<Command> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => Ok(Command::List),
        ["run", id, "-dir", dir, "-feed", feed, "-messages", messages] => {
            let messages = messages.parse().ok().filter(|n| *n > 0).ok_or(USAGE)?;
            Ok(Command::Run(Task {
                id: id.into(),
                dir: dir.into(),
                feed: feed.into(),
                messages,
            }))
        }
        ["run", ..] | [] => Err(USAGE.into()),
        _ => Ok(Command::Other(args)),
    }
}
