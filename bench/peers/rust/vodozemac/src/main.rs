//! vodozemac alone: the operations of the Olm table in bench/peers, on states in
//! memory. Messages are in base64, as there. Where an operation uses a state up,
//! copies are made outside the measured part.

mod operations;
mod pair;

use std::hint::black_box;
use std::time::Instant;

use protocol::{
    Catalog, Command, Entry, Meter, Outcome, Params, Result, Row, Task, Version, workload,
};

use operations::{OPERATIONS, Operation};
use pair::TEXT;

fn main() -> Result<()> {
    match protocol::command()? {
        Command::List => protocol::print(&catalog()),
        Command::Run(task) => protocol::print(&run(task)?),
        Command::Other(_) => Err("vodozemac: there is nothing but list and run".into()),
    }
}

fn catalog() -> Catalog {
    let row = |o: &Operation| Row {
        workload: format!("{}: {}", workload::OLM, o.name),
        params: Params {
            size: TEXT.len(),
            ..Params::default()
        },
        system: "vodozemac",
        also: "on a state in memory; copies are made beforehand",
        ..Row::default()
    };
    Catalog {
        protocol: 1,
        versions: vec![
            Version {
                name: "vodozemac",
                version: vodozemac::VERSION.into(),
            },
            Version {
                name: "rustc",
                version: protocol::RUSTC.into(),
            },
        ],
        entries: OPERATIONS
            .iter()
            .map(|o| Entry {
                id: o.name.into(),
                messages: o.per_run,
                row: row(o),
            })
            .collect(),
    }
}

fn run(task: Task) -> Result<Outcome> {
    let operation = OPERATIONS
        .iter()
        .find(|o| o.name == task.id)
        .ok_or_else(|| format!("there is no {:?}", task.id))?;
    // Warm up with some that do not count.
    let few = (task.messages / 10).max(1);
    let mut once = (operation.prepare)(few)?;
    for i in 0..few {
        black_box(once(i)?);
    }
    let mut once = (operation.prepare)(task.messages)?;
    let mut meter = Meter::start(task.messages);
    for i in 0..task.messages {
        let began = Instant::now();
        black_box(once(i)?);
        meter.called(began);
    }
    Ok(meter.stop(task.messages))
}
