// Package sharekv lets any number of processes share a store that only one of
// them can open.
//
// An embedded engine such as Badger or bbolt locks its files: one process has
// them, and a second is refused. Here the first process that opens the store is
// its owner. It has the engine, and answers the others, its guests, over a
// [Transport], a unix socket in the store's directory as a rule. Callers see no
// difference: a [Store] keeps the contract of kv.Store in every process. When the
// owner ends, however it ends, one of the others takes over.
//
// # An engine to share
//
// An [Opener] opens a [LocalEngine] in a [Place], the directory that this
// process has locked. The engine keeps entries, versions, commit IDs; turns,
// watches, processes and their end are sharekv's. kv/badgerkv is written so, and
// kv/sharekv/sharetest has the suites that an engine must pass.
//
// # Terms
//
// The time during which a store has one owner is a term. Whoever finds none holds
// an election: it tries to lock pawl.lock in the directory. The system gives the
// lock to one process, and takes it back when that process ends; the others
// connect to it. A call that a term ends under is made anew in the next one, as
// long as the patience lasts ([WithPatience]). A snapshot that was read from ends
// with its term (kv.ErrConflict); so do turns. A commit that was under way goes to
// the next owner with the same ID, which the engine knows if it was applied.
//
// An owner that is stopped (SIGSTOP, a debugger, a suspended app) keeps the lock:
// the others get kv.ErrUnavailable, or kv.ErrUnknown for what they had sent, when
// the patience is over. A process that is about to be suspended should
// [Store.Yield].
//
// # Files
//
// The directory has mode 0700. In it are sharekv's pawl.lock and pawl.sock, mode
// 0600, and the engine's files. Where the directory is removed or replaced, open
// stores get kv.ErrUnavailable and do not make it again.
//
// docs/processes.md says what callers see in each case, and what goes over the
// wire.
package sharekv
