use protocol::{CROWD, Catalog, DEVICES, Entry, Params, RUSTC, Row, Version, workload};

/// How many events a sync of the larger kind brings.
pub const PER_SYNC: usize = 100;

const SINGLY: usize = 400;
const IN_BULK: usize = 2000;
const IN_ROOMS: usize = 5;

const DURABLE: &str = "everything, the account and the rest in a commit each (synchronous=FULL, SQLite's default): a crash between them leaves some";

const ALSO: &str = "Keeps sessions in memory once they are loaded; seals every value; writes the whole account at each sync. \
    Without the lease that matrix-sdk takes around it. Opening: shares a new Megolm session of its own, and parses claims into records beforehand. \
    Room events: remembers nothing of those that it has decrypted; a replay is found by its caller.";

pub fn catalog() -> Catalog {
    let entry = |id: &str, messages, workload: &str, params| Entry {
        id: id.into(),
        messages,
        row: Row {
            workload: workload.into(),
            params,
            system: "matrix-sdk-crypto",
            engine: "SQLite, matrix-sdk-sqlite",
            durable: DURABLE,
            also: ALSO,
        },
    };
    let batch = |batch| Params {
        sessions: 1,
        batch,
        ..Params::default()
    };
    let peers = Params {
        peers: DEVICES,
        ..Params::default()
    };
    let crowd = Params {
        peers: CROWD,
        ..Params::default()
    };
    let room = Params {
        sessions: 1,
        ..Params::default()
    };
    let processes = Params {
        processes: 2,
        same: true,
        ..Params::default()
    };
    Catalog {
        protocol: 1,
        versions: vec![
            Version {
                name: "matrix-sdk-crypto",
                version: matrix_sdk_crypto::VERSION.into(),
            },
            Version {
                name: "matrix-sdk-sqlite",
                version: matrix_sdk_crypto::VERSION.into(),
            },
            Version {
                name: "vodozemac in matrix-sdk-crypto",
                version: matrix_sdk_crypto::vodozemac::VERSION.into(),
            },
            Version {
                name: "rustc",
                version: RUSTC.into(),
            },
        ],
        entries: vec![
            entry("decrypt-1", SINGLY, workload::DECRYPT, batch(1)),
            entry("decrypt-100", IN_BULK, workload::DECRYPT, batch(PER_SYNC)),
            entry("room-key-1", SINGLY, workload::ROOM_KEY, batch(1)),
            entry("room-key-100", IN_BULK, workload::ROOM_KEY, batch(PER_SYNC)),
            entry("open", DEVICES, workload::OPEN, peers.clone()),
            entry("share", IN_ROOMS * DEVICES, workload::SHARE, peers.clone()),
            entry("claim", DEVICES, workload::CLAIM, peers),
            entry("missing", CROWD, workload::MISSING, crowd),
            entry("room-encrypt", SINGLY, workload::ROOM_ENCRYPT, room.clone()),
            entry("room-decrypt", SINGLY, workload::ROOM_DECRYPT, room),
            entry(
                "shared",
                2 * crate::shared::ROUNDS,
                workload::SHARED,
                processes,
            ),
        ],
    }
}
