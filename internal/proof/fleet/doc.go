// Package fleet is hosts for tests: each has an address and runs processes, and can be cut
// off in each direction and joined again.
//
// With the rights to, a host is a network namespace, and a pair of virtual Ethernet devices
// joins it to the one bridge of its [Network]. The namespaces have no names: they are gone
// with the test's process, however it ends, and so is all that runs in them. Being cut off
// is a queue of no length at one end of the pair.
//
// Without the rights a host is an address of the loopback device, and what it reaches others
// by is a [Proxy], which holds what is sent while it is cut off, as a network does that
// sends it again. Processes then reach each other past it by the others' addresses: what is
// to be cut has to go through [Host.Door].
package fleet
