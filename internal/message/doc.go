// Package message holds what the messages of Olm and Megolm have in common:
// tagged fields as in protobuf, the keys that a message key expands to, and
// AES-256-CBC with a truncated HMAC-SHA-256 over the whole message.
//
// It checks nothing that either protocol would have to say, and keeps nothing.
// Everything in it is safe for concurrent use.
package message
