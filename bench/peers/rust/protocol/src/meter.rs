use std::time::{Duration, Instant};

use serde::Serialize;

const UNKNOWN: f64 = -1.0;

/// Measures the part of a repetition that counts.
pub struct Meter {
    calls: Vec<u64>,
    began: Instant,
    cpu: Duration,
    written: Option<u64>,
}

/// What `run` prints.
#[derive(Serialize)]
pub struct Outcome {
    pub run: Run,
    pub calls: Vec<u64>,
    pub cost: Cost,
    pub resident: u64,
    pub wrong: Wrong,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Serialize)]
pub struct Run {
    pub messages: usize,
    pub took: u64,
    pub cpu: u64,
}

#[derive(Serialize)]
pub struct Cost {
    pub cpu: u64,
    pub allocs: f64,
    pub allocated: f64,
    pub written: f64,
    pub syncs: f64,
    pub conflicts: f64,
    pub retries: f64,
}

#[derive(Default, Serialize)]
pub struct Wrong {
    pub wedged: usize,
    pub lost: usize,
    pub reused: usize,
}

impl Meter {
    /// Begins to measure about that many calls.
    pub fn start(calls: usize) -> Meter {
        let meter = Meter {
            calls: Vec::with_capacity(calls),
            began: Instant::now(),
            cpu: cpu_time(),
            written: written(),
        };
        mark();
        Meter {
            began: Instant::now(),
            ..meter
        }
    }

    /// Tells that a call that began then has ended.
    pub fn called(&mut self, began: Instant) {
        self.calls.push(nanoseconds(began.elapsed()));
    }

    /// Ends measuring; that many messages were dealt with.
    pub fn stop(self, messages: usize) -> Outcome {
        let took = nanoseconds(self.began.elapsed());
        mark();
        let cpu = nanoseconds(cpu_time() - self.cpu);
        let written = match (self.written, written()) {
            (Some(before), Some(after)) => (after - before) as f64 / messages as f64,
            _ => UNKNOWN,
        };
        Outcome {
            run: Run {
                messages,
                took,
                cpu,
            },
            calls: self.calls,
            cost: Cost {
                cpu: cpu / messages as u64,
                allocs: UNKNOWN,
                allocated: UNKNOWN,
                written,
                syncs: UNKNOWN,
                conflicts: UNKNOWN,
                retries: UNKNOWN,
            },
            resident: resident(),
            wrong: Wrong::default(),
            notes: Vec::new(),
        }
    }
}

fn nanoseconds(d: Duration) -> u64 {
    d.as_nanos() as u64
}

/// Shows whoever traces this process where measuring begins and ends.
fn mark() {
    // SAFETY: no file has this descriptor, so the call fails and does nothing.
    unsafe { libc::fsync(-1) };
}

/// The processor time of this process so far, in all its threads.
fn cpu_time() -> Duration {
    let usage = usage();
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// The most memory that this process ever had.
fn resident() -> u64 {
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    usage().ru_maxrss as u64 * unit
}

fn usage() -> libc::rusage {
    // SAFETY: rusage is plain data, and getrusage fails for other arguments only.
    unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    }
}

/// How many bytes this process has made the kernel write to storage.
fn written() -> Option<u64> {
    let io = std::fs::read_to_string("/proc/self/io").ok()?;
    io.lines()
        .find_map(|line| line.strip_prefix("write_bytes: "))?
        .parse()
        .ok()
}
