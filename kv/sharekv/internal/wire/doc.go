// Package wire carries kv.Store over a connection between two processes of one
// user: a [Server] answers any number of connections from a store, and a
// [Client] is a kv.Store at the other end of one.
//
// # Frames
//
// Everything is a frame: four bytes of length, most significant first, and a
// msgpack array. A connection begins with one frame each way, hello and
// welcome, which agree on the version of everything that follows; their shape
// never changes. After it the client sends requests, each with a number, and
// the server answers each exactly once under its number, in any order. A long
// answer comes in parts. A scan or a watch is answered with a page, and with
// the next one whenever the client has asked for more: neither side holds
// more than a page for the other.
//
// # What a connection holds
//
// Snapshots, turns and watches belong to the connection and are released when
// it ends, however it ends. A snapshot's first read opens it, and every answer
// to a read carries its version, so that neither costs a round trip.
//
// # Versions
//
// Both sides speak the newest version that both know. Version 2 differs from 1 in
// two things: a commit says whether an earlier try of it had no known outcome
// (kv.Batch.Again), and kv.ErrRefused has a kind of its own, which is a plain
// conflict in version 1.
//
// # What is certain
//
// A request counts as sent when its frame was written as a whole; a server
// drops what is cut off. A commit that was sent and not answered may have been
// applied: the client says kv.ErrUnknown. The answer to the next try is final, by
// two means. The server never lets an earlier try come after a later one: tries
// that come over one connection go one after the other in the order in which they
// came, and before a client is welcomed again everything of its earlier
// connections has ended. And the next try says that it is one, so that the engine
// records a refusal.
//
// Of version 1 the second is missing. A server counts as another try what it has
// seen a try of whose client may not know the outcome, over this connection or an
// earlier one of the client's; what went to an owner before this one was decided
// before this one opened the engine. A client does not leave to a server of
// version 1 in which order it takes two tries that come over one connection (such
// servers let goroutines race for it): a commit that is not answered after it was
// taken back ends the connection.
//
// # Silence
//
// A client that waits for an answer pings, and gives the connection up when
// nothing at all was heard for the patience it was given: a process that is
// stopped still holds its sockets. A server gives up a client that takes
// nothing for as long. Waiting for a change is not waiting for an answer.
package wire
