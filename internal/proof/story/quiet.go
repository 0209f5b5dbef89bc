package story

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/pawlkv/pawl"
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
		handles[i%len(handles)].receiveAgain(ctx, m)
		handles[len(handles)-1].receiveAgain(ctx, m)
	}
	for _, m := range letters {
		if m.answered == 0 {
			w.Fail(Answers, "no answer to message %d carries its plaintext", m.number)
		}
	}
	w.agree(ctx, handles)
	for _, h := range handles {
		if err := h.Check(ctx); err != nil {
			w.Fail(Consistency, "%v", err)
		}
	}
	return w.Violations()
}

// receiveAgain is Receive of a message that may have been answered: if so, its
// receipt is there.
func (h *Handle) receiveAgain(ctx context.Context, m *Letter) {
	before := h.world.Answered(m)
	if d, err := h.Receive(ctx, m); before && err == nil && !d.Duplicate {
		h.world.Fail(Durable, "%s decrypts message %d, which was answered, as if it were new", h.Name, m.number)
	}
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

// Check holds the store, as a handle sees it, against what left all handles.
// Nothing may be under way, and what was delivered must have been answered. The
// error is that it could not.
func (h *Handle) Check(ctx context.Context) error {
	w := h.world
	lines, err := h.Machine.Check(ctx)
	if err != nil {
		return fmt.Errorf("%s cannot check: %w", h.Name, err)
	}
	for _, line := range lines {
		w.Fail(Consistency, "%s finds: %s", h.Name, line)
	}
	in, err := h.Machine.Inspect(ctx)
	if err != nil {
		return fmt.Errorf("%s cannot inspect: %w", h.Name, err)
	}
	live := map[ratchet.SessionID]pawl.SessionInfo{}
	full := false
	for _, p := range in.Peers {
		full = full || len(p.Sessions) == session.MaxPerPeer
		for _, s := range p.Sessions {
			live[s.ID] = s
		}
	}
	w.checkKeys(h.Name, live, full, in.Keys.Used)
	w.checkDurable(h.Name, live, full, in.Receipts.Open+in.Receipts.Acknowledged)
	return nil
}

// checkKeys: the one-time keys that opened sessions are used, no others, and
// their sessions exist, unless so many were opened that some were pruned.
func (w *World) checkKeys(handle string, live map[ratchet.SessionID]pawl.SessionInfo, full bool, used int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if used != len(w.opened) {
		w.fail(OneTimeKeys, "%s finds %d used one-time keys, %d opened sessions", handle, used, len(w.opened))
	}
	byName := func(a, b ratchet.PublicKey) int { return bytes.Compare(a[:], b[:]) }
	for _, key := range slices.SortedFunc(maps.Keys(w.opened), byName) {
		id := w.opened[key]
		if live[id].Origin != session.WithOneTimeKey && !full {
			w.fail(OneTimeKeys, "%s does not find session %s, which key %s opened", handle, id, key)
		}
	}
}

// checkDurable: each message that was answered has one receipt, no other has
// one, and no chain stands before a message that was released.
func (w *World) checkDurable(handle string, live map[ratchet.SessionID]pawl.SessionInfo, full bool, receipts int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answered := 0
	for _, m := range w.order {
		if m.answered > 0 {
			answered++
		}
	}
	if receipts != answered {
		w.fail(Durable, "%s finds %d receipts of %d answered messages", handle, receipts, answered)
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.keysUsed), messageKey.compare) {
		s, exists := live[key.session]
		switch {
		case !exists && !full:
			w.fail(Durable, "%s does not find session %s, in which %s sent", handle, key.session, w.keysUsed[key])
		case s.Sending != nil && s.Sending.RatchetKey == key.chain && s.Sending.Index <= key.index:
			w.fail(Durable, "%s finds chain %s of session %s at %d, and %s has sent message %d",
				handle, key.chain, key.session, s.Sending.Index, w.keysUsed[key], key.index)
		}
	}
}
