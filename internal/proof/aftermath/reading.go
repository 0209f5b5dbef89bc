package aftermath

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// askHeard gives the device again what it was given before.
func (j *judge) askHeard() error {
	for _, h := range j.now.heard {
		got, err := j.device.Decrypt(j.ctx, j.peer.curve, h.message)
		acknowledged := h.done || h.receipt == j.now.next.receipt
		switch {
		case errors.Is(err, pawl.ErrAlreadyProcessed) && acknowledged:
		case err != nil:
			if err := j.lost("a message that comes again", err); err != nil {
				return err
			}
		case string(got.Plaintext) != h.text:
			return fmt.Errorf("a message that comes again reads %q, not %q", got.Plaintext, h.text)
		case !got.Duplicate && !j.marked:
			return fmt.Errorf("%q was forgotten: the message counts as new", h.text)
		case h.done && !j.marked:
			return fmt.Errorf("%q was acknowledged, and its key is still there", h.text)
		}
	}
	return nil
}

// askNext gives the device the message that it may have been at.
func (j *judge) askNext() error {
	h := j.now.next.message
	if h == nil {
		return nil
	}
	return j.deliver(h.message, h.text, false)
}

// askNew lets the peer write, in the session that there is and in a new one.
func (j *judge) askNew() error {
	for i, opts := range [][]pawl.EncryptOption{nil, {pawl.WithOneTimeKey(j.now.spare)}} {
		text := fmt.Sprintf("new %d", i)
		e, err := j.peer.Encrypt(j.ctx, j.life.curve, []byte(text), opts...)
		if errors.Is(err, pawl.ErrNoSession) {
			continue // at the first moment
		}
		if err != nil {
			return err
		}
		if err := j.deliver(e.Message, text, true); err != nil {
			return err
		}
	}
	return nil
}

// deliver gives the device a message, which is new or may be.
func (j *judge) deliver(m ratchet.Message, text string, isNew bool) error {
	got, err := j.device.Decrypt(j.ctx, j.peer.curve, m)
	switch {
	case err != nil:
		return j.lost(fmt.Sprintf("reading %q", text), err)
	case string(got.Plaintext) != text:
		return fmt.Errorf("%q reads %q", text, got.Plaintext)
	case isNew && got.Duplicate:
		return fmt.Errorf("%q counts as a duplicate", text)
	}
	return nil
}
