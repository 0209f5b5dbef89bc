package otk_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// A key is made, offered in one upload, published, and used once.
func Example() {
	now := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	pool, keys, err := otk.Pool{}.Generate(rand.Reader, 2, now)
	if err != nil {
		log.Fatal(err)
	}
	// Store the pool and the keys, before a body that has them leaves.
	pool, offered := pool.Offer(1, now)
	fmt.Println("offered:", offered[0].ID, "left to offer:", pool.Count(otk.Generated))

	// The server has answered the upload.
	if pool, err = pool.Publish(now, offered[0].ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println("published:", pool.Count(otk.Published))

	// A peer has opened a session with it. The tombstone that Use returns is
	// stored together with that session; the pool forgets the key then or later.
	used, err := keys[0].Use(ratchet.SessionID{1}, otk.Moment{Time: now})
	if err != nil {
		log.Fatal(err)
	}
	pool = pool.Forget(used.Public())
	fmt.Println("kept:", pool.Len())
	_, err = used.Use(ratchet.SessionID{2}, otk.Moment{Time: now})
	fmt.Println("again:", err != nil)
	// Output:
	// offered: AAAAAQ left to offer: 1
	// published: 1
	// kept: 1
	// again: true
}
