// Package conform drives a store in another language: a program that answers calls,
// a line of JSON each. [Open] starts it and is a kv.Store over its standard input and
// output, which the suite of package kvtest tests as it tests any other; [Main] is
// that suite as a program. docs/port/conform.md specifies the lines.
//
// A program is one open store: opening twice starts two. Nothing of what the suite
// asks is answered here, or the suite would test this package: calls on what is closed
// and calls whose context is over are sent as well. Only [kv.Store.Limits], which has
// no round trip, is what the program said when it opened.
package conform
