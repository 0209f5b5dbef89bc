package power_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/pawlkv/pawl/kv/kvtest/power"
)

// Whatever stands in the place of the file system tells a Log what it does, and
// the Log says what a power failure may leave of it.
func ExampleLog() {
	log := new(power.Log)
	log.Acknowledge()
	log.Write("journal", 0, []byte("synced "))
	log.Sync("journal")
	log.Acknowledge()
	log.Write("journal", 7, []byte("not synced"))
	left := make(map[string]bool)
	for _, outage := range log.Outages(rand.New(rand.NewPCG(1, 2)), 8) {
		if outage.Steps == 1 { // what was acknowledged is there in all of them
			left[string(outage.Image()["journal"].Data)] = true
		}
	}
	fmt.Println(left)
	// Output: map[synced :true synced not s:true synced not synced:true]
}
