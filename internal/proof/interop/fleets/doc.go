// Package fleets is the device of the processes tests, and histories of transactions, on
// PostgreSQL and etcd: servers on hosts of their own, processes on three others, and at
// random instants whatever can happen to any of them, alone and together. See
// docs/fleets.md.
package fleets
