// Package etcdkv is the engine for several hosts that already have etcd: a [kv.Store]
// in an etcd cluster, which any number of processes on any number of hosts may have
// open.
//
//	db, err := etcdkv.Open(ctx, clientv3.Config{Endpoints: []string{"10.0.0.1:2379"}})
//	store, err := db.Store(ctx, "alice")
//
// One commit is one etcd transaction: it compares what was read, puts what is written,
// and puts the commit ID, so that a batch that comes again is told from another one. A
// version is a revision of etcd. A view is a revision too, and is gone when etcd has
// compacted it.
//
// # What etcd must be told
//
// Every commit leaves history behind, which etcd keeps until it is told otherwise: set
// --auto-compaction-mode and --auto-compaction-retention (an hour is plenty). The limits
// fit etcd's own defaults; [WithMaxOps] and [WithMaxRequestBytes] tell of others. What a
// restored backup means, and whom the engine serves, is in docs/etcd.md.
//
// # Deadlines
//
// No call on etcd lasts longer than [WithWait] says. A commit is sent once: the client
// library's own retries are off, and what became of a commit whose answer was lost is
// found out by its ID (kv.ErrUnknown). What was certainly refused (no leader, too many
// requests) is tried again while the wait lasts.
//
// # Layout
//
// What a store keeps is below its name and a byte 0, so that no store is within another:
//
//	m                      what the store is, once and for all
//	h                      nothing; its ModRevision is the store's version, its Version the
//	                       number of commits and refusals
//	e                      which commit IDs are kept
//	i epoch began random   what became of the batch with that ID: a applied, r refused
//	n                      the name of the place where the store is that has this name now
//	o                      nothing; the store that is here has another name now
//	t random               a turn that was asked for, in the order of CreateRevision
//	d key                  an entry
//	w                      how the store is witnessed (Store.Witness)
package etcdkv
