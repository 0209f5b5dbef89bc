// Command libpawl is no program but the C library: "make libpawl" builds it as a
// shared library and as an archive, and include/pawl.h is its header.
//
// Each function of the header is C (enter.c). It compares the process with the one
// that loaded the library, since Go does not live through a fork, and then enters Go
// (exports.go), which hands bytes and numbers to package internal/calls. What a call
// does is decided there.
//
// With the tag libpawl_sqlite, for phones, stores are those of kv/sqlitekv; without it
// those of kv/badgerkv. Both have stores in memory, for tests.
package main

func main() {}
