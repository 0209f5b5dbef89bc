// Package records has the kinds of records of an account, a file for each: its
// name, its bytes, and its rules for checking, sweeping, inspecting and
// recovering an account. docs/format.md has the bytes.
//
// A new kind is a new file and a line in [Kinds]. Granularity decides what
// conflicts: two inbound sessions on different one-time keys do not, nor do two
// messages of different peers.
package records
