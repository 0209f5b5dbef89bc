package story

import (
	"context"
)

// end lets all that is on its way arrive, delivers any of it again, and has both
// sides agree.
func (t *traveller) end(ctx context.Context) error {
	t.read(len(t.flowing))
	t.sync(ctx, len(t.Letters()))
	t.again(ctx)
	var err error
	if len(t.Violations()) == 0 {
		err = t.agree(ctx)
	}
	lines, failed := t.machine.Check(ctx)
	for _, line := range lines {
		t.Fail(Consistency, "%s", line)
	}
	if err == nil {
		err = failed
	}
	return err
}

// agree lets both sides talk. After at most one new session, ours or, by a key
// that was uploaded since the last recovery, theirs, each reads the other's next
// message at the first try, and goes on to. Nothing but messages tells them.
func (t *traveller) agree(ctx context.Context) error {
	most := 1
	if t.one(2) {
		most = 0
		if err := t.openedByThem(ctx); err != nil {
			return err
		}
	}
	for range 3 {
		opened, err := t.write(ctx, false)
		if err != nil {
			return err
		}
		if opened {
			most--
		}
		t.read(len(t.flowing))
		if err := t.send(false); err != nil {
			return err
		}
		t.reads(ctx)
	}
	if most < 0 {
		t.Fail(Agreement, "the device opens a session too many")
	}
	return nil
}

// openedByThem lets the far side open a session with a key that is new.
func (t *traveller) openedByThem(ctx context.Context) error {
	u, err := t.machine.KeysForUpload(ctx, t.random.IntN(2))
	if err != nil {
		return err
	}
	t.Ledger.free = nil // the server gives out none of the old ones
	t.uploadedBy("the device", u)
	if err := t.send(true); err != nil {
		return err
	}
	t.reads(ctx)
	return nil
}

// reads wants the device to read the far side's last message.
func (t *traveller) reads(ctx context.Context) {
	letters := t.Letters()
	last := letters[len(letters)-1]
	t.place = len(letters)
	if !t.receive(ctx, last) {
		t.Fail(Agreement, "the device cannot read message %d, when all was quiet", last.number)
	}
}
