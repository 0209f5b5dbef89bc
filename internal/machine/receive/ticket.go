package receive

import (
	"context"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/txn"
)

// Ticket is for one request: where it begins, and what was so when it did.
type Ticket struct {
	Sliding  bool
	Since    string // of /sync
	Pos      string // of simplified sliding sync
	ToDevice string // since, of its to-device extension
	// Taking is which response was being put into the store then.
	Taking [8]byte
	// Uploads says which uploads of keys had ended then; nil: nobody knows, and
	// counts in the response are of no use.
	Uploads Uploads
	// Hold keeps the token of the response from being stored if events of it are
	// returned: it is, by Store, once they were handled.
	Hold bool
}

// Held is the token of a response whose events were returned, and which is stored once
// they were handled.
type Held struct {
	ticket             Ticket
	next, nextToDevice string
	name               [8]byte // of the response, in Taking
	// taken: what it says of rooms is in the store, or what a newer one says.
	taken bool
}

// Store stores a token that was held, and returns whether it is the stored one. It is
// not if another response to the same token was first. Whoever began with one since
// knew that this one was not done, so what is stored of rooms is not older than it, and
// the next response says again what is newer.
func (r *Receiver) Store(ctx context.Context, h *Held) (advanced bool, err error) {
	err = records.OnRaised(ctx, r.account, func() error {
		advanced, err = txn.Do(ctx, r.account.DB, func(tx *txn.Tx) (bool, error) { return r.store(tx, h) })
		return err
	})
	return advanced, err
}

func (r *Receiver) store(tx *txn.Tx, h *Held) (bool, error) {
	if _, err := r.active(tx); err != nil {
		return false, err
	}
	s, err := records.ReadSync(tx)
	if err != nil {
		return false, err
	}
	response := syncresponse.Response{Next: h.next, NextToDevice: h.nextToDevice}
	next, advanced := h.ticket.advance(s, response, h.taken && h.ticket.current(s))
	if s.Taking != h.name {
		next.Taking = s.Taking
	}
	if next.Same(s) {
		return advanced, nil
	}
	return advanced, records.Sync.Put(tx, next)
}

// Next returns the ticket of the next request.
func (r *Receiver) Next(ctx context.Context, sliding bool) (t Ticket, err error) {
	err = r.view(ctx, r.ends(), func(tx *txn.Tx, _ account.Account) error {
		s, err := records.ReadSync(tx)
		if err != nil {
			return err
		}
		began, err := r.others.Began(tx)
		if err != nil {
			return err
		}
		t = Ticket{Sliding: sliding, Taking: s.Taking, Uploads: began}
		if sliding {
			t.Pos, t.ToDevice = s.Pos, s.ToDevice
		} else {
			t.Since = s.Since
		}
		return nil
	})
	return t, err
}

// ends names what the end of a response looks at, and the ticket of the next request.
func (r *Receiver) ends() []txn.Ref { return append(slices.Clip(r.others.Uploads), records.Sync.Ref()) }

// view looks at an account, which is raised for it if it must be, and at what is named
// with it.
func (r *Receiver) view(ctx context.Context, refs []txn.Ref, look func(tx *txn.Tx, v account.Account) error) error {
	return records.OnRaised(ctx, r.account, func() error {
		_, err := txn.View(ctx, r.account.DB, func(tx *txn.Tx) (struct{}, error) {
			if err := tx.Prefetch(append(refs, r.account.Ref())...); err != nil {
				return struct{}{}, err
			}
			v, err := r.active(tx)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, look(tx, v)
		})
		return err
	})
}

// Lost notes that the server does not know the token of a request any more: the
// next one begins anew, and what changed in the meantime of tracked users' devices
// is unknown. It does nothing if another token is stored by now. The to-device
// token is the server's as before.
func (r *Receiver) Lost(ctx context.Context, t Ticket) error {
	return records.OnRaised(ctx, r.account, func() error {
		return r.account.Do(ctx, func(tx *txn.Tx) error { return r.lose(tx, t) })
	})
}

func (r *Receiver) lose(tx *txn.Tx, t Ticket) error {
	v, err := r.active(tx)
	if err != nil {
		return err
	}
	s, err := records.ReadSync(tx)
	if err != nil || !t.current(s) || t.first() {
		return err
	}
	if t.Sliding {
		s.Pos = ""
	} else {
		s.Since = ""
	}
	if err := records.Sync.Put(tx, s); err != nil {
		return err
	}
	return r.others.AllOutdated(tx, v)
}

// current reports whether the ticket's token is still the stored one: what the
// response says has not been overtaken by another.
func (t Ticket) current(s records.SyncState) bool {
	if t.Sliding {
		return t.Pos == s.Pos
	}
	return t.Since == s.Since
}

// first reports a request without a token: its response says nothing of what
// changed before.
func (t Ticket) first() bool { return t.Since == "" && t.Pos == "" }

// mayTake reports whether the rooms of a response of this name may be put into the
// store in another commit than its token: nobody is at it, or somebody with the same response, or
// somebody who was when the request began, and who is dead or slower than a server. So
// of two responses to one token the older cannot end what it began after the newer,
// and whoever is first is not kept from it by the others.
func (t Ticket) mayTake(s records.SyncState, name [8]byte) bool {
	return t.current(s) && (s.Taking == name || s.Taking == [8]byte{} || s.Taking == t.Taking)
}

// advance returns the state after a response, whose events are all committed, and
// whether its token is the stored one then. A token goes on only from where the
// request began; that of the to-device extension is one of its own.
func (t Ticket) advance(s records.SyncState, r syncresponse.Response, current bool) (records.SyncState, bool) {
	if current {
		s.Taking = [8]byte{}
	}
	if !t.Sliding {
		if current {
			s.Since = r.Next
		}
		return s, s.Since == r.Next
	}
	if current {
		s.Pos = r.Next
	}
	if t.ToDevice == s.ToDevice && r.NextToDevice != "" {
		s.ToDevice = r.NextToDevice
	}
	return s, s.Pos == r.Next
}

// checkTokens fails with ErrResponse if a token cannot be kept.
func checkTokens(r syncresponse.Response) error {
	if len(r.Next) > records.MaxToken || len(r.NextToDevice) > records.MaxToken {
		return fmt.Errorf("%w: a token of more than %d bytes", ErrResponse, records.MaxToken)
	}
	return nil
}
