package roomkeys

import (
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

// receiveNotice keeps a notice that a key is withheld. Nobody signs it, so it takes
// nothing away, and no more is kept than records.MaxWithheld of one user.
func (k *Keys) receiveNotice(tx *txn.Tx, at record.Moment, from From, o object) (Outcome, error) {
	code, err := o.text("code")
	if err != nil {
		return Outcome{}, err
	}
	if group.Code(code) == group.NoOlm {
		return k.receiveNoOlm(tx, at, from, o)
	}
	if err := o.megolm(); err != nil {
		return Outcome{}, err
	}
	room, id, err := o.session()
	if err != nil {
		return Outcome{}, err
	}
	sender, err := o.curve25519("sender_key")
	if err != nil {
		return Outcome{}, err
	}
	w, err := group.NewWithheld(group.Withheld{
		Room: room, Session: id, Sender: sender, From: from.User, Code: group.Code(code), Reason: o.optional("reason"), At: at.Time,
	})
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Result: Ignored, Room: room, Session: id}
	if news, err := isNews(tx, w); err != nil || !news {
		return out, err
	}
	out.Result = Noted
	return out, records.PutWithheld(tx, w)
}

// isNews reports whether a notice may explain something that is not explained yet.
func isNews(tx *txn.Tx, w group.Withheld) (bool, error) {
	in, _, err := records.GroupIns.Peek(tx, w.Session)
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return false, err
	}
	if c, none := in.Earliest(); err == nil && none == nil && c.Key.Index() == 0 {
		return false, nil // we have all of it
	}
	old, known, err := records.Withhelds.Get(tx, records.WithheldName{Session: w.Session, From: w.From})
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return true, nil
	}
	again := known && old.Room == w.Room && old.Sender == w.Sender && old.Code == w.Code && old.Reason == w.Reason
	return !again || w.At.Sub(old.At).Abs() >= records.NoOlmPause, err
}

// receiveNoOlm keeps the notice of a known device of the user who sent it.
func (k *Keys) receiveNoOlm(tx *txn.Tx, at record.Moment, from From, o object) (Outcome, error) {
	key, err := o.curve25519("sender_key")
	if err != nil {
		return Outcome{}, err
	}
	owner, known, err := records.Owners.Get(tx, key)
	out := Outcome{Result: Ignored}
	switch {
	case machine.IsDamage(err), machine.IsSetAside(err):
		return out, nil
	case err != nil:
		return out, err
	case !known || owner.Open || owner.Claimers[0].User != from.User:
		return out, nil
	}
	old, noted, err := records.NoOlms.Get(tx, key)
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return out, err
	}
	if err == nil && noted && at.Time.Sub(old.At).Abs() < records.NoOlmPause {
		return out, nil
	}
	out.Result = Noted
	n := records.NoOlm{Key: key, From: from.User, Reason: group.Cut(o.optional("reason"), group.MaxReason), At: at.Time, Order: at.Order}
	return out, records.NoOlms.Put(tx, n)
}
