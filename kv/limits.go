package kv

import "time"

// MaxKey is the longest key in bytes, for every engine. Pawl's own keys stay
// under 120.
const MaxKey = 1024

// Limits is what one engine takes and keeps. A caller that must run on every
// engine splits what it does by [Store.Limits], or stays within [Floor].
//
// The commit IDs must be enough for a minute at the highest rate at which the
// engine commits: within a minute everybody has asked again, or has given up. An
// engine in the caller's own process or beside it may keep fewer, since nothing
// comes late there: those of this module keep [EmbeddedCommitIDs], a minute at
// 1,666 commits/s.
type Limits struct {
	Bytes     int           // of all keys and values that one commit writes
	Writes    int           // of one commit
	Checks    int           // of one commit, as Batch.Checks counts; fewer of keys over 200 bytes
	CommitIDs int           // the newest that are kept at least
	TurnLife  time.Duration // how long a turn lasts that nobody releases
}

// The floor: no engine takes or keeps less. They are the bounds of the smallest
// service that offers conditional commits of several entries.
const (
	FloorBytes     = 1 << 20
	FloorWrites    = 100
	FloorChecks    = 100
	FloorCommitIDs = 1000
	FloorTurnLife  = 250 * time.Millisecond
)

// Floor returns the limits that every engine reaches.
func Floor() Limits {
	return Limits{
		Bytes: FloorBytes, Writes: FloorWrites, Checks: FloorChecks,
		CommitIDs: FloorCommitIDs, TurnLife: FloorTurnLife,
	}
}

// What engines take that keep their data on this machine. The bytes and writes
// are those of the smallest transaction among them (Badger's, 15% of a small
// memtable), the checks those that one message to another process holds.
const (
	EmbeddedBytes     = 2 << 20
	EmbeddedWrites    = 8000
	EmbeddedChecks    = 1 << 18
	EmbeddedCommitIDs = 100_000
	EmbeddedTurnLife  = FloorTurnLife
)

// Embedded returns the limits of the engines in this module, as they are opened
// without options.
func Embedded() Limits {
	return Limits{
		Bytes: EmbeddedBytes, Writes: EmbeddedWrites, Checks: EmbeddedChecks,
		CommitIDs: EmbeddedCommitIDs, TurnLife: EmbeddedTurnLife,
	}
}
