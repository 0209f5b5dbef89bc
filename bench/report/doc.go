// Package report says what a run of the benchmark suite found: the answer in
// one sentence, a table for a terminal, one HTML page with plots that needs
// nothing else, and Markdown for a document. All of them are drawn from a
// result.Result and from nothing else, so that a stored document gives the same
// report again.
//
// Write and Read are the document itself, Compare says what changed between two
// of them and whether it is noise.
//
// Figures are medians of interleaved repetitions. Where two systems are compared,
// the ratio is taken in each repetition, and what is shown is the median of
// those and the middle half: a machine that slows down slows both down.
package report
