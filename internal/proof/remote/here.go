package remote

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// Here is a machine of this process, which is called by a [Call]. Any number of goroutines
// may.
type Here struct {
	library *calls.Library
	machine calls.Handle
}

// Find finds a machine in an open store, over its engine. Closing them is the caller's.
func Find(ctx context.Context, engine kv.Store, store *pawl.Store, user matrix.UserID, device matrix.DeviceID) (*Here, error) {
	// Only a call that panics writes to the log.
	h := &Here{library: calls.New(slog.New(slog.NewTextHandler(os.Stderr, nil)), nil)}
	account, err := json.Marshal(versioned{"v": calls.Version, "user": user, "device": device})
	if err != nil {
		return nil, err
	}
	result, err := h.library.Call(ctx, h.library.Add(engine, store), "machine", account, nil)
	if err != nil {
		return nil, err
	}
	var found struct{ Machine calls.Handle }
	err = json.Unmarshal(result, &found)
	h.machine = found.Machine
	return h, err
}

// versioned are parameters with "v".
type versioned map[string]any

// Answer makes a call.
func (h *Here) Answer(ctx context.Context, c Call) (a Answer) {
	result, err := h.library.Call(ctx, h.machine, c.Name, c.Params, c.Body)
	a.Result, a.Failed = result, FailureOf(err)
	return a
}
