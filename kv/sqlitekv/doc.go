// Package sqlitekv is the kv.Store on SQLite: one file that any number of
// processes may have open at the same time, none of which has to answer for
// another. It is the engine for an app and its extensions.
//
// # How a commit goes
//
// All commits of a process go through one goroutine. It takes those that wait,
// waits for the gate (a file lock that one process at a time has, held for the
// time of a commit and no longer), and in one SQLite transaction validates and
// writes the batches one after the other, each at a version of its own. One sync
// of the log ends it. Then everybody is answered, the log is brought to the
// database if it has grown to 4 MiB, and the next process has the gate. So processes
// take turns, and callers never meet SQLite's "database is locked".
//
// A call waits for other processes as long as its context and [WithWait] allow.
// A process that is stopped inside its commit keeps the others from committing,
// which is kv.ErrUnavailable to them, and not from reading.
//
// # What is promised
//
// A commit with Batch.Sync that returned a version survives the end of any
// process, power loss and a full disk (synchronous=FULL, and fullfsync, without
// which a sync on Apple systems stays in the cache of the disk). Commits without it may
// be lost by power loss, the newest first (synchronous=NORMAL): SQLite writes the
// log from its beginning to its end and, when it recovers it, stops at the first
// frame that is not whole, and a sync covers the whole file, whoever wrote it.
//
// A sync that fails makes the outcome kv.ErrUnknown. Before anything else is
// committed by this process, all that is in the log is written to the database
// and synced there; the same batch then gets its version, or is applied.
//
// # Views
//
// A view moves on: each call has a read transaction of its own, on a connection
// of about 0.3 MB that reads share, and looks first whether all that the view has
// returned stands in the newest state (kv.ErrConflict if it does not). So nobody
// who is stopped, or slow, between two calls keeps the log from beginning anew,
// which stays under 8 MiB; only who is stopped in the middle of one read does.
// The writers name that process in their logs, and [Store.Log] does. Between
// calls nothing is locked but what every open SQLite database has shared locks on;
// [Store.Yield] closes even that, before the process is suspended.
//
// What a process has read or written it remembers. A call for nothing else reads the
// first bytes of the log's index, which each commit changes, and while they are the
// same it asks SQLite nothing.
//
// # Damage
//
// Each page of the database has a checksum, which is verified when it is read,
// and each frame of the log when the log is recovered; damage is kv.ErrCorrupt.
// SQLite takes a damaged log for one that ends there. So a file beside the store
// remembers the newest version that was synced, and a store that is behind it is
// kv.ErrCorrupt too, unless [WithLostTail] says otherwise. A page that lies beyond
// the end of the file, or across it, is damage. [Store.Check] reads everything. Not seen are: damage to the
// log on disk while a process has the store open, a page of which the disk
// returns an older version, and a store that is an older copy together with all
// the files beside it.
//
// # Erasure
//
// What is deleted or overwritten is overwritten with zeros in the database
// (secure_delete) when the log goes there. Until then, and until the log is
// overwritten in turn, the log holds it.
//
// # The driver
//
// SQLite is github.com/ncruces/go-sqlite3, which is Go throughout. In three
// interleaved runs on one connection, with 500-byte values among 10,000, it made
// 3830, 5199 and 3703 durable commits/s and 181, 201 and 191 thousand gets/s;
// mattn/go-sqlite3 (C) made 4914, 3432 and 5172, and 171, 140 and 175;
// modernc.org/sqlite 3305, 4932 and 4661, and 101, 118 and 113. It brings three
// modules of 9 MB where modernc brings 250 MB, checksums of pages, and locks that
// belong to the open file and not to the process. A program that was built with a
// version of it that this was not proven with is refused ([ErrUnproven]).
package sqlitekv
