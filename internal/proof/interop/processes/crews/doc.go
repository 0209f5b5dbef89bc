// Package crews is the device of the processes tests: its processes, which come, go and are
// killed, its far side, and what is done in between, with the oracles of
// internal/proof/story asked at every step.
package crews
