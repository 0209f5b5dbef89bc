// Package turns lets those who compete for a key go one after the other,
// within one process. Engines share it: a [Table] grants the turns of
// kv.Store.Turn, and holds back the commits that write under somebody else's.
//
// # Order
//
// A turn stands in the queue of each of its keys, and joins all of them in one
// step. It is granted when it is first in every one. Whatever is first of all
// turns is therefore held up by granted turns only, which end by themselves:
// turns on several keys cannot wait for each other in a circle.
//
// A turn on the whole store stands before all that are asked for after it, and
// is granted when all turns and commits that came before it are over: nothing
// that could still change the store is then on its way. It waits for commits no
// longer than a turn lasts, since one may hang.
//
// A commit stands in no queue. It waits for the turns that were asked for
// before it came, and for no later one, so that a stream of turns cannot
// starve it. A commit that carries a granted turn waits only for turns that are
// granted: a queued one may be waiting for the very turn it carries, and one on
// the whole store then waits for this commit too. Two holders that each write
// under the other's turn wait until one expires.
package turns
