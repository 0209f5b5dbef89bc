// Package pawlpeer is Pawl as a stored.System, on Badger and SQLite, with and
// without a cache. Around the store it does what a client must: it parses
// events and payloads, checks whom they are from and to, and verifies the
// signatures of claimed keys.
package pawlpeer
