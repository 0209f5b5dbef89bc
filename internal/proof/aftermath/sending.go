package aftermath

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl"
)

// askFirst lets the device write before it reads anything: what it reads may
// begin another chain, and hide that this one went back.
func (j *judge) askFirst() error {
	if j.marked {
		return nil
	}
	err := j.say("first")
	if errors.Is(err, pawl.ErrNoSession) && len(j.now.heard)+len(j.now.slots) == 0 {
		return nil
	}
	return err
}

// askSending lets the device write and offer keys: as it is, or only after it
// was recovered.
func (j *judge) askSending() error {
	if !j.marked {
		return j.send()
	}
	_, encrypt := j.device.Encrypt(j.ctx, j.peer.curve, nil)
	_, upload := j.device.KeysForUpload(j.ctx, 1)
	for what, err := range map[string]error{"encrypting": encrypt, "an upload": upload} {
		if !errors.Is(err, pawl.ErrNeedsRecovery) && !IsClear(err) {
			return fmt.Errorf("%s before it was recovered: %v, want %v", what, err, pawl.ErrNeedsRecovery)
		}
	}
	if _, err := j.device.Recover(j.ctx); err != nil {
		return j.refused("recover", err)
	}
	return j.send()
}

// send releases what must not have been released before.
func (j *judge) send() error {
	key, err := j.peer.oneTimeKey(j.ctx)
	if err != nil {
		return err
	}
	if err := j.say("in a new session", pawl.WithOneTimeKey(key)); err != nil {
		return err
	}
	if err := j.say("in the session there is"); err != nil {
		return err
	}
	u, err := j.device.KeysForUpload(j.ctx, 3)
	if err != nil {
		return j.refused("an upload", err)
	}
	for _, id := range u.OneTimeKeys {
		if j.now.ids[id] {
			return fmt.Errorf("key %d is offered a second time", id)
		}
	}
	return nil
}

// say lets the device write, and the peer read.
func (j *judge) say(text string, opts ...pawl.EncryptOption) error {
	e, err := j.device.Encrypt(j.ctx, j.peer.curve, []byte(text), opts...)
	if err != nil {
		return j.refused("writing "+text, err)
	}
	used, err := slotOf(e)
	if err != nil {
		return err
	}
	if j.now.slots[used] {
		return fmt.Errorf("REUSED: message key %d of session %s", used.index, used.session)
	}
	got, err := j.peer.Decrypt(j.ctx, j.life.curve, e.Message)
	if err != nil || string(got.Plaintext) != text {
		return fmt.Errorf("the peer reads %q of %q: %w", got.Plaintext, text, err)
	}
	return nil
}
