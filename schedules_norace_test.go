//go:build !race

package pawl_test

// schedules is how many schedules a test run tries.
const schedules = 10_000

const raceEnabled = false
