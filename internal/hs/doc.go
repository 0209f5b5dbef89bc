// Package hs is a Matrix homeserver for tests: HTTP on this machine, everything in
// memory, and the manners of Synapse that a client's encryption depends on (an
// upload with one known id is refused whole, claims are answered in upload order,
// to-device events come again until a newer token is used, transaction ids are
// forgotten).
//
//	server, err := hs.Start("example.org")
//	defer server.Close()
//	server.AddUser("@alice:example.org", "secret")
//	server.Fail(hs.Fault{Endpoint: "keys/upload", Times: 1, Do: hs.Lose})
//
// It has login, devices, keys (with cross-signing), to-device messages, rooms,
// /sync in both flavours and transactions for application services. It does not
// federate: users of other servers are users of this one, and [Server.Down] makes
// their server one that does not answer. Power levels, media, presence, receipts
// and search are not there.
//
// A test sees what the server saw: [Server.Exchanges] has every request with its
// answer, whether that arrived or not. Everything is safe for concurrent use.
package hs
