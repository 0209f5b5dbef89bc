// Package witness tells a store that went back in time.
//
// A store may be older than what was once done with it: its engine lost the end
// of a log, its directory was copied or restored from a backup. Whoever goes on
// with it repeats steps that were taken before, with other data. A witness lies
// outside of the engine's files and remembers how far the store had come: a
// [Mark]. When the store is opened, its head is compared with the mark; package
// pawl does that (WithWitness) and refuses to encrypt from a store that is
// behind.
//
//	store, err := pawl.Open(ctx, engine, key) // with the engine's own, if it is a Keeper
//	store, err := pawl.Open(ctx, engine, key, pawl.WithWitness(keychain))
//
// # Never ahead
//
// The mark of a commit is saved after the commit was synced. It may lag, when a
// process dies in between or power fails, but it never leads: a store that lost
// nothing is never taken for one that did.
//
// # What each kind of witness sees
//
// [File] is a file beside the store, as kv/badgerkv and kv/sqlitekv keep it. It
// shows an engine that lost its tail, and, since it knows its own inode and time of
// birth, a directory that was copied, moved to another file system or unpacked. It
// gets a new inode at each opening of the store, so that it also shows when an
// older copy is written over it in place. It shows that it came with the image of
// a container (it lies in a lower layer of an overlay), and snapshots and clones
// of Btrfs and ZFS, whose files have the same inodes and times of birth.
//
// What it cannot show is a whole disk that went back or has a twin (a snapshot of
// a block device or of a virtual machine), because the file is the same there in
// every respect, and a copy written over it in place that was made since the
// store was last opened. Where a file system tells too little, File says so
// ([Blind]).
//
// A [Witness] of the caller's own, in a keychain or on a server, shows these
// too.
package witness
