// Package views is what engines share whose views move on: each call of such a view takes
// up the newest state, as long as all that the view has returned stands in it. [Returned]
// remembers what that is, and [Scan] reads ahead no further than the view stands still.
// How to find out what was written since is the engine's own.
package views
