//go:build unix && !race

package processes_test

const usualKills = 200
