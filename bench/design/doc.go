// Package design holds the ways to share a device's state between processes
// that Pawl is compared with, and Pawl's own, under one interface. All run on
// the same ratchet and the same engine: a design is a kv.Store around a
// kv.Store, and what is held around a step. Only the design differs.
//
// [All] lists them. Some are wrong on purpose; nothing in the product imports
// this package.
package design
