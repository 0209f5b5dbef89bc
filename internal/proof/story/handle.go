package story

import (
	"context"
	"errors"

	"github.com/pawlkv/pawl"
)

// Receive decrypts a message.
func (h *Handle) Receive(ctx context.Context, m *Letter) (pawl.Decrypted, error) {
	d, err := h.Machine.Decrypt(ctx, h.world.Bob.Identity(), m.Message)
	h.note(m, d, err)
	return d, err
}

func (h *Handle) note(m *Letter, d pawl.Decrypted, err error) {
	h.world.answered(h.Name, m, d, err)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.receipts = append(h.receipts, d.Receipt)
	}
}

// Sync decrypts the next message that this handle has not seen, if there is
// one: what each process does with its own copy of what the server has.
func (h *Handle) Sync(ctx context.Context) {
	if waiting := h.waiting(); len(waiting) > 0 {
		h.seen++
		_, _ = h.Receive(ctx, waiting[0]) // the ledger has the outcome
	}
}

// SyncAll decrypts all messages that this handle has not seen, in one batch.
func (h *Handle) SyncAll(ctx context.Context) {
	waiting := h.waiting()
	h.seen += len(waiting)
	batch := make([]pawl.Incoming, len(waiting))
	for i, m := range waiting {
		batch[i] = pawl.Incoming{Sender: h.world.Bob.Identity(), Message: m.Message}
	}
	results, err := h.Machine.DecryptBatch(ctx, batch)
	if err != nil {
		h.world.unexpected(h.Name+" decrypts a batch", err)
	}
	for i, r := range results {
		h.note(waiting[i], r.Decrypted, r.Err)
	}
}

func (h *Handle) waiting() []*Letter { return h.world.Letters()[h.seen:] }

// Again decrypts the n-th message, seen or not.
func (h *Handle) Again(ctx context.Context, n int) {
	if all := h.world.Letters(); len(all) > 0 {
		_, _ = h.Receive(ctx, all[n%len(all)])
	}
}

// Send encrypts a message, in a new session if there is none or if asked for
// one, and returns it, or nil.
func (h *Handle) Send(ctx context.Context, fresh bool) *Reply {
	w := h.world
	known := w.known()
	w.talk.Lock()
	text := w.text("from-" + h.Name)
	w.talk.Unlock()
	if !fresh {
		e, err := h.Machine.Encrypt(ctx, w.Bob.Identity(), text)
		if err == nil {
			return h.release(e, text)
		}
		h.world.refused(h.Name, known, err)
		if !errors.Is(err, pawl.ErrNoSession) {
			return nil
		}
	}
	w.talk.Lock()
	key, err := w.Bob.OneTimeKey()
	w.talk.Unlock()
	if err != nil {
		w.Fail(Unreadable, "the far side makes no key: %v", err)
		return nil
	}
	e, err := h.Machine.EncryptNew(ctx, w.Bob.Identity(), key, text)
	if err != nil {
		h.world.refused(h.Name, true, err)
		return nil
	}
	return h.release(e, text)
}

func (h *Handle) release(e pawl.Encrypted, text []byte) *Reply {
	h.world.released(h.Name, e)
	return &Reply{h.Name, e.Message, text}
}

// Post is Send, and puts the message on its way.
func (h *Handle) Post(ctx context.Context, fresh bool) {
	if r := h.Send(ctx, fresh); r != nil {
		h.world.post(r)
	}
}

// Publish uploads n new one-time keys and does not yet know the outcome.
func (h *Handle) Publish(ctx context.Context, n int) {
	u, err := h.Machine.KeysForUpload(ctx, n)
	if err != nil {
		h.world.unexpected(h.Name+" makes an upload", err)
		return
	}
	h.world.uploadedBy(h.Name, u)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = append(h.pending, u)
}

// Settle tells the device what became of this handle's oldest upload.
func (h *Handle) Settle(ctx context.Context, arrived bool) {
	h.mu.Lock()
	if len(h.pending) == 0 {
		h.mu.Unlock()
		return
	}
	u := h.pending[0]
	h.pending = h.pending[1:]
	h.mu.Unlock()
	tell := h.Machine.Abandon
	if arrived {
		tell = h.Machine.MarkPublished
	}
	if err := tell(ctx, u); err != nil {
		h.world.unexpected(h.Name+" settles an upload", err)
	}
}

// Acknowledge acknowledges all that this handle was answered.
func (h *Handle) Acknowledge(ctx context.Context) {
	h.mu.Lock()
	receipts := h.receipts
	h.receipts = nil
	h.mu.Unlock()
	h.world.acknowledging(receipts)
	if err := h.Machine.Acknowledge(ctx, receipts...); err != nil {
		h.world.unexpected(h.Name+" acknowledges", err)
	}
}

// Sweep deletes what has expired, which is nothing.
func (h *Handle) Sweep(ctx context.Context) {
	if _, err := h.Machine.Sweep(ctx, h.world.now()); err != nil {
		h.world.unexpected(h.Name+" sweeps", err)
	}
}

// unexpected notes an error of a call that one lone process would not get.
func (w *World) unexpected(what string, err error) {
	if !w.excused(err) {
		w.Fail(FalseFailure, "%s: %v", what, err)
	}
}
