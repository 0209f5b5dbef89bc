// Package workload measures what Pawl and the designs of package design cost,
// and how they fail.
//
// A [Config] is one comparison: a workload with its parameters, and the systems
// (a design on an engine) that run it. [Run] prepares Bob's store and the
// messages of his peers once, from a seed, so that each system has the same
// store and the same messages. Then it runs the systems in turn, again and
// again (A B C A B C), and returns a row for each:
//
//	for _, c := range workload.Suite(quick) {
//		c.Dir, c.Process = dir, process
//		rows, err := workload.Run(ctx, c)
//	}
//
// Bob's processes are real ones that run [Serve]; the program that measures
// tells them what to do, and plays the peers. So memory, CPU and bytes written
// are those of Bob's processes alone.
//
// What a process uses is read when a run begins and when it ends. Where it is
// told of each call by itself (Alternate, Day, Processes in the same sessions,
// and a whole client) that includes being told, for all systems alike; latencies
// never do.
//
// Sync, Share and Room are what a whole client does. Bob is in a room with his
// peers, and a homeserver, which the program that measures plays as well, keeps
// what is on its way to him, and his one-time keys. A call is all that a client
// does about one thing, such as a sync with the uploads and queries that follow
// from it: its time is that of Bob's process, without the server's.
//
// Every ciphertext that leaves Bob is opened by its peer and every plaintext
// compared: what is lost, and message keys that are used twice, are counted,
// and afterwards new processes look whether the sessions still work. Of a whole
// client also the indices of Megolm sessions are counted that two events leave
// under, the one-time keys that are uploaded twice, and the room keys that are
// lost: a new process takes in what is left on the server and then reads an event
// with each key that was ever sent. One that it does not have, and of which nobody
// was told that it cannot be read, is behind the token.
//
// # Reading the source
//
// What is measured: workload.go lists the workloads, suite.go what the command
// runs of them; scripts.go, live.go, day.go and whole.go are what they do.
//
// The measuring program: config.go and run.go begin, preparation.go makes Bob's
// store (device.go, acquaintance.go; enter.go for a whole client) and his peers
// (peer.go, event.go), stage.go is where one system runs, process.go how its
// processes are asked, and row.go what comes out. ledger.go and roomledger.go
// judge, mend.go looks afterwards. activity.go and homeserver.go are a whole
// client's.
//
// Bob's processes: serve.go, dispatch.go for messages, client.go for a whole
// client; wire.go is what both sides say to each other.
package workload
