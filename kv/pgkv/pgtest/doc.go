// Package pgtest starts PostgreSQL servers for tests: each with a directory and a
// socket of its own, synchronous as it is for its users (fsync stays on), and gone when
// the test is over.
//
// The programs of the server are looked for in the directory PAWL_POSTGRES_BIN, on the
// path, and where Debian puts them. Without them a test is skipped; with PAWL_FLEET=1
// it fails.
package pgtest
