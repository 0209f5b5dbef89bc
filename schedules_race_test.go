//go:build race

package pawl_test

// schedules is how many schedules a test run tries. The race detector makes
// each take ten times as long and sees little in them: one actor runs at a
// time.
const schedules = 1000

const raceEnabled = true
