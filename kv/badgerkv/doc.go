// Package badgerkv is the kv.Store on Badger: a directory on a local disk,
// Pawl's default engine.
//
// # How a commit goes
//
// All commits go through one goroutine. It takes those that wait, validates
// what each has read against the newest state, joins those that do not touch
// what the group writes, applies the group as one Badger transaction, syncs the
// log once, and only then makes the version visible and answers everybody.
// While it syncs, the next group gathers: a lone writer waits for nobody, and
// many writers share the cost of a sync.
//
// # What is promised
//
// A commit with Batch.Sync that returned a version survives the end of the
// process, power loss and a full disk. Commits without it may be lost by power
// loss, the newest first: none is lost that comes before one that is kept. On
// Linux, Android, macOS and other Unix systems the sync is that of the log
// file; on Windows the log's pages and then the file are flushed.
//
// The directory has mode 0700 and its files 0600.
//
// # Processes
//
// Any number of processes may have the directory open, by kv/sharekv. One owns
// Badger, elected with a lock file, and answers the others over a socket; when
// it ends, another takes over. Callers notice that a snapshot that they have
// read from is gone (kv.ErrConflict), and nothing else: commits that were under
// way go to the next owner, which knows by their IDs whether they were applied.
// An owner that is stopped costs them the patience of WithPatience; a process
// that is about to be suspended should Yield. See docs/processes.md.
//
// Where the system cannot tell which user is at the other end of a socket
// (Windows), a second process gets kv.ErrInUse.
//
// # Damage
//
// Open reads every byte that Badger is about to trust and refuses what does not
// add up with kv.ErrCorrupt. It cannot tell that the newest commits are missing
// as a whole from the end of the log, or that the directory is an older copy.
//
// # Badger
//
// What is promised rests on private behaviour of Badger, so Open refuses a
// program that was built with a version of it, or of ristretto below it, that
// this was not proven with (ErrUnproven, WithUnproven), and one whose int has 32
// bits, where Badger damages stores (Err32Bit). A program that does not say what
// it was built with, as tests do not, is let through, with a warning in the log.
package badgerkv
