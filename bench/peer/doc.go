// Package peer runs other systems beside Pawl. Each is a program of its own, in
// whatever language the system is written in, that speaks the protocol of
// bench/peers/README.md: it lists what it can measure, and measures one of these
// things once, in a directory and on messages that it is given.
//
// Because one repetition is one process, the caller decides the order: Measure
// takes the programs in turn, so that what slows the machine down for a while
// slows all of them down. A program that is not there is rows that say so.
//
// Main is the program's side, for those in Go; Catalog, Task and Outcome are
// what goes over the border.
package peer
