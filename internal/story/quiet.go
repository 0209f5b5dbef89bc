package story

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Finish is Quiesce with one handle more, of a process that has just started.
func (w *World) Finish(ctx context.Context, handles ...*Handle) Violations {
	late, err := w.Open(ctx, "late")
	if err != nil {
		w.Fail(FalseFailure, "a new process does not start: %v", err)
		return w.Violations()
	}
	return w.Quiesce(ctx, append(handles, late)...)
}

// Quiesce delivers everything that is still on its way, everything twice to
// one handle or to two, lets both sides talk through each handle, and then
// asks all oracles. It returns all violations.
func (w *World) Quiesce(ctx context.Context, handles ...*Handle) Violations {
	w.ReadAll()
	letters := w.deliverable()
	for i, m := range letters {
		_, _ = handles[i%len(handles)].Receive(ctx, m)
		_, _ = handles[len(handles)-1].Receive(ctx, m)
	}
	for _, m := range letters {
		if m.answered == 0 {
			w.Fail(Answers, "no answer to message %d carries its plaintext", m.number)
		}
	}
	w.agree(ctx, handles)
	for _, h := range handles {
		h.check(ctx)
	}
	return w.Violations()
}

// agree lets the far side and each handle talk: everything must be read at the
// first try.
func (w *World) agree(ctx context.Context, handles []*Handle) {
	before := len(w.Violations())
	for i, h := range handles {
		if r := h.Send(ctx, false); r != nil {
			w.talk.Lock()
			w.read(r, Agreement)
			w.talk.Unlock()
		}
		if m := w.Send(false); m != nil {
			_, _ = handles[(i+1)%len(handles)].Receive(ctx, m)
		}
	}
	for _, v := range w.Violations()[before:] {
		if v.Oracle != Agreement {
			w.Fail(Agreement, "when all was quiet: %s", v)
			return
		}
	}
}

// check asks a handle about the store.
func (h *Handle) check(ctx context.Context) {
	w := h.world
	lines, err := h.Machine.Check(ctx)
	if err != nil {
		w.Fail(Consistency, "%s cannot check: %v", h.Name, err)
	}
	for _, line := range lines {
		w.Fail(Consistency, "%s finds: %s", h.Name, line)
	}
	in, err := h.Machine.Inspect(ctx)
	if err != nil {
		w.Fail(Consistency, "%s cannot inspect: %v", h.Name, err)
		return
	}
	live := map[string]session.Origin{}
	full := false
	for _, p := range in.Peers {
		full = full || len(p.Sessions) == session.MaxPerPeer
		for _, s := range p.Sessions {
			live[s.ID.String()] = s.Origin
		}
	}
	w.checkKeys(h.Name, live, full, in.Keys.Used)
}

// checkKeys: the one-time keys that opened sessions are used, no others, and
// their sessions exist, unless so many were opened that some were pruned.
func (w *World) checkKeys(handle string, live map[string]session.Origin, full bool, used int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if used != len(w.opened) {
		w.fail(OneTimeKeys, "%s finds %d used one-time keys, %d opened sessions", handle, used, len(w.opened))
	}
	byName := func(a, b ratchet.PublicKey) int { return bytes.Compare(a[:], b[:]) }
	for _, key := range slices.SortedFunc(maps.Keys(w.opened), byName) {
		id := w.opened[key]
		if live[id.String()] != session.WithOneTimeKey && !full {
			w.fail(OneTimeKeys, "%s does not find session %s, which key %s opened", handle, id, key)
		}
	}
}
