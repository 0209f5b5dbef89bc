package web

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/internal/proof/remote"
)

// deviceOf is the device as a tab, a worker or a service worker has it.
func deviceOf(actor *Actor) remote.Device {
	return remote.Device{Ask: func(_ context.Context, c remote.Call) (a remote.Answer, err error) {
		word, err := json.Marshal(c)
		if err != nil {
			return a, err
		}
		said, ok := strings.CutPrefix(actor.Do("call", string(word)), "ok ")
		if !ok {
			return a, fmt.Errorf("%s: %s: %s", actor.run.ID, c.Name, said)
		}
		return a, json.Unmarshal([]byte(said), &a)
	}}
}
