// Command storage measures Pawl's storage engine beside what it stands on: a
// file that is appended to and synced, and Badger by itself.
//
//	go run ./bench/storage             # rates, latencies, open time
//	go run ./bench/storage --processes # processes that share a store, and takeover
//	go run ./bench/storage --million   # memory of a large store, takes minutes
//
// All cases run in turns, several times, on one disk, and each figure is the
// median of its runs. Ratios are taken within a round before the median, so
// that a disk that is slow for a while slows both sides.
package main
