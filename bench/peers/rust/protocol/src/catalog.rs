use serde::Serialize;

/// What `list` prints.
#[derive(Serialize)]
pub struct Catalog {
    pub protocol: u32,
    pub versions: Vec<Version>,
    pub entries: Vec<Entry>,
}

#[derive(Serialize)]
pub struct Version {
    pub name: &'static str,
    pub version: String,
}

/// Something that the program can measure.
#[derive(Serialize)]
pub struct Entry {
    pub id: String,
    pub messages: usize,
    pub row: Row,
}

/// The part of a result's row that does not depend on a run.
#[derive(Clone, Default, Serialize)]
pub struct Row {
    pub workload: String,
    pub params: Params,
    pub system: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub engine: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub durable: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub also: &'static str,
}

#[derive(Clone, Default, Serialize)]
pub struct Params {
    #[serde(skip_serializing_if = "zero")]
    pub sessions: usize,
    #[serde(skip_serializing_if = "zero")]
    pub batch: usize,
    #[serde(skip_serializing_if = "zero")]
    pub peers: usize,
    #[serde(skip_serializing_if = "zero")]
    pub processes: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub same: bool,
    #[serde(skip_serializing_if = "zero")]
    pub size: usize,
}

fn zero(n: &usize) -> bool {
    *n == 0
}
