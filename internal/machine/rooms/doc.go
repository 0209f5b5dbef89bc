// Package rooms is what an account sends in rooms: what a sync says of their
// members, encryption and history, with whom the Megolm session is shared, and
// encrypting in it.
package rooms
