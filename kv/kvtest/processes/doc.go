// Package processes tests stores that processes share, with real processes that
// are stopped and killed at any instant.
//
// A test starts its own program again in a role ([Main], [Start]). In the role
// of [Count] it counts in a store, one commit after the other, and logs what it
// does and what it is told. A [Crew] is several that do, of which a test kills
// some; its Check holds what they say to have done against what is in the store:
// nothing acknowledged is lost, nothing refused was applied, nothing was applied
// twice, and all that all of them saw can be put in one order.
//
// It needs signals, and works on Linux and macOS.
package processes
