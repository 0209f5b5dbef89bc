// Package interop holds Pawl against other people's Olm.
//
// [Implementation] is what the tests drive: Pawl's own values, goolm
// (maunium.net/go/mautrix) and, with the build tag libolm, the C library
// itself by cgo. All three make [Account]s and [Session]s, and a session's whole state can be
// taken out of one and put into another ([Session.State],
// [Implementation.Restore]), so a test can ask every implementation the same
// question about the same state.
//
// What an implementation answers is compared by [Verdict]. The verdicts are
// Pawl's, and finer than libolm's, which calls a gap, a used key and a bad MAC
// by one name: [Implementation.Error] says which error of its own each
// implementation must give for a verdict, so the tests stay exact for all.
//
// [Megolm] is the same for rooms: all of them hold one session, and must write
// the same bytes.
//
// Randomness: goolm and libolm read crypto/rand, Pawl is given it. [Seed]
// makes all of it follow from one number, so every failure replays.
//
// Subpackages: pickle reads and writes libolm's state, forge makes odd
// messages with valid MACs, record writes and reads Pawl's session record a
// second time, processes runs a device as processes that are killed and stopped,
// and cmd/vectors makes the vector files.
package interop
