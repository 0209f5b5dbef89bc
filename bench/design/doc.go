// Package design holds ways to share a device's state between processes that
// Pawl does not use, so that they can be run beside it on the same ratchet and
// the same engine. Each is a kv.Store around a kv.Store: only the design
// differs. They are wrong on purpose; nothing in the product imports them.
//
// [Stale] is a cache in each process that nothing invalidates. [Lease] is that
// cache with a lease and a generation counter around it.
package design
