// Package broken is an engine as simple as the contract allows, that leaves out
// one check when told to. It shows that kvtest would notice: an engine without
// a [Flaw] passes the suite, one with a flaw does not.
//
// Views are copies of a map. Nothing here is meant to be quick.
package broken
