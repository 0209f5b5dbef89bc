// Package demo plays the story that Pawl was made for: a phone whose app and
// notification extension (NSE) share one store, and a peer who keeps writing to
// them. The two are processes of the operating system, which are restarted,
// killed and stopped at random while they work. The same random rounds are
// played with designs that break and with Pawl, and every message is looked at.
//
// Nothing is arranged: who does what when is drawn from a seed, and what the
// designs make of it depends on how the processes happen to be scheduled. Each
// process has its own memory and its own handle on the store, as on a phone.
//
// The processes are the program that plays, started again: it calls [Serve]
// when it is one of them, and [Run] otherwise.
package demo
