//go:build unix && race

package processes_test

// usualKills is fewer here: with the race detector in it Badger takes 20 times
// as long to open, and each kill makes it do that.
const usualKills = 25
