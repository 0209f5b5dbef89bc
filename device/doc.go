// Package device is other people's devices and identities, as answers to
// /keys/query prove them: whose they are, which of two claims holds, and who
// vouches for them.
//
// All of it is values, and nothing is trusted because it was seen first. An
// answer is verified by [ParseAnswer]; [Owner] says which device a Curve25519 key
// belongs to, and [Join] which devices a user has after an answer. A [Device] that
// is usable may be written to. An [Identity] is a user's cross-signing keys;
// [Known] is what is kept of them: the first master key is pinned, a change is a
// state until it is accepted, and verified is only what somebody verified.
//
// Everything is safe for concurrent use. The rules are those of the Matrix
// specification ("End-to-End Encryption"), and stricter where it leaves a server
// a choice: a device never changes its keys, and a key never changes its device.
package device
