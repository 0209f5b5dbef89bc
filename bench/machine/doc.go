// Package machine says what figures depend on: the computer, the file system of
// the stores, and how far both were from quiet while something was measured.
package machine
