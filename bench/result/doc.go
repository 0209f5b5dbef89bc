// Package result is what a run of the benchmark suite leaves behind: one JSON
// document that holds the machine, the commands and every figure, so that a
// report is drawn from it, another run compared with it, and anyone can see
// what was measured.
//
// The suite, the peer programs (in any language) and the report know each
// other only through this document.
package result
