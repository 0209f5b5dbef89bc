package main

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestConvertBusy: what processes do with a store while it is moved is in the
// new one if they were told that it was done, and they are refused afterwards.
func TestConvertBusy(t *testing.T) {
	for from, to := range map[string]string{"phone": "sqlite:new.db", "sqlite:phone.db": "new"} {
		t.Run(from+" to "+to, func(t *testing.T) {
			t.Chdir(t.TempDir())
			run(t, initArgs(from, 1)[0]...)
			var offered atomic.Int64
			var all sync.WaitGroup
			begun := make(chan struct{}, 2)
			for range 2 {
				all.Go(func() {
					for first := true; ; first = false {
						r := atOnce(t, nil, []string{"keys", from, "--count", "1"})[0]
						if first {
							begun <- struct{}{}
						}
						if !r.ok {
							if !strings.Contains(r.stderr.String(), "account was moved to another store") {
								t.Errorf("it is refused with %s", &r.stderr)
							}
							return
						}
						offered.Add(1)
					}
				})
			}
			<-begun
			<-begun
			run(t, "convert", from, to)
			all.Wait()
			seen := content(t, to)["accounts"].([]any)[0].(map[string]any)["one_time_keys"].(map[string]any)
			if got := int64(seen["offered"].(float64)); got != offered.Load() {
				t.Errorf("the new store has offered %d keys, and its users %d", got, offered.Load())
			}
			run(t, "check", to)
		})
	}
}
