// Package wire carries kv.Store over a connection between two processes of one
// user: a [Server] answers any number of connections from a store, and a
// [Client] is a kv.Store at the other end of one.
//
// # Frames
//
// Everything is a frame: four bytes of length, most significant first, and a
// msgpack array. A connection begins with one frame each way, hello and
// welcome, which settle the version of everything that follows; their shape
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
// # What is certain
//
// A request counts as sent when its frame was written as a whole; a server
// drops what is cut off. A commit that was sent and not answered may have been
// applied: the client says kv.ErrUnknown. To make the next answer to the same
// batch final, the server never lets an earlier copy overtake a later one:
// copies on one connection go one after the other, and before a client is
// welcomed again everything of its earlier connections has ended.
//
// # Silence
//
// A client that waits for an answer pings, and gives the connection up when
// nothing at all was heard for the patience it was given: a process that is
// stopped still holds its sockets. A server gives up a client that takes
// nothing for as long. Waiting for a change is not waiting for an answer.
package wire
