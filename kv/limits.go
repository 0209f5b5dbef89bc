package kv

import "time"

// Limits that every engine keeps, so that a store can move between engines.
const (
	// MaxKey is the longest key in bytes. Pawl's own keys stay under 120.
	MaxKey = 1024
	// MaxBatchBytes bounds the keys and values written by one commit: the
	// smallest engine transaction (Badger's, 15% of a small memtable) takes it.
	MaxBatchBytes = 2 << 20
	// MaxBatchWrites bounds the number of writes of one commit.
	MaxBatchWrites = 8000
	// CommitIDs is how many applied commit IDs an engine keeps at least.
	CommitIDs = 100_000
	// TurnLife is how long a turn lasts that nobody releases.
	TurnLife = 250 * time.Millisecond
)
