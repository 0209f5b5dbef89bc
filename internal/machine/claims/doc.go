// Package claims gets sessions for devices that there is none with: it claims their
// one-time keys (/keys/claim), verifies what comes, and opens the sessions.
//
// A device and a server that give nothing are left alone for a while, 15 seconds
// doubled to 15 minutes; that is stored, so all processes keep to it.
package claims
