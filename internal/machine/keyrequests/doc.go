// Package keyrequests asks own verified devices for room keys, and answers devices
// that ask for ours.
//
// What another device may have is decided when it asks and again when it is sent: an
// own verified device gets what there is of a session, a device that was given the
// session gets the same again, and all others a notice why they get nothing.
package keyrequests
