package records

import "github.com/pawlkv/pawl/txn"

// Many is many, for a kind that a test adds.
func Many[N, T any](r *txn.Record[N, T]) *Stored { return many(r) }
