package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Queries makes an account's requests for /keys/query, and applies their answers. It
// implements outbox.Handler.
type Queries struct {
	account *machine.Account
	settle  []Settle
}

// Settle is told that answers are applied to what is known of users' devices, before
// they count as known. It may be told so more than once of one answer, and makes
// commits of its own, which are few and small where nothing waits for these users.
type Settle func(ctx context.Context, users []matrix.UserID) error

// New returns a handler.
func New(a *machine.Account, settle ...Settle) *Queries { return &Queries{a, settle} }

// Failed lets the users be asked for again after a while, in another request: who
// waited for them goes on without. Where the server did not look at the request at
// all, the same is sent again, unless it is to come much later, or later again and
// again; so is one without an answer, up to twice.
func (q *Queries) Failed(ctx context.Context, r outbox.Request, f outbox.Failure) error {
	now := q.account.Store.Now()
	if f.Again(r) || f.Untouched() && !f.Long(r, now) {
		return q.account.Do(ctx, func(tx *txn.Tx) error {
			if _, err := q.account.Active(tx); err != nil {
				return err
			}
			_, err := outbox.Settle(tx, q.account, r, f)
			return err
		})
	}
	users, err := decodeUsers(r.Data)
	if err != nil {
		return err
	}
	wait, _ := f.Wait(now)
	return q.finish(ctx, r, users, func(t device.Tracking) device.Tracking {
		if f.Rejected() || f.TooLarge() {
			return t.AskedInVain(now)
		}
		return t.Failed(now, now.Add(wait))
	})
}

// finish notes what became of the query for each of its users, and then ends it, in
// as many commits as the engine needs. Whom another query is under way for, or
// nobody follows any more, it concerns no more.
func (q *Queries) finish(ctx context.Context, r outbox.Request, users []matrix.UserID, next func(device.Tracking) device.Tracking) error {
	last := false
	for !last {
		some := users[:min(len(users), q.account.Store.PerCommit(records.UserShare))]
		users = users[len(some):]
		last = len(users) == 0
		err := q.account.Do(ctx, func(tx *txn.Tx) error {
			all, _, err := q.asked(tx, r, some)
			if err != nil {
				return err
			}
			for _, t := range all {
				if !t.Left.IsZero() {
					t = t.Forgotten()
				} else {
					t = next(t)
				}
				if err := records.PutUser(tx, t); err != nil {
					return err
				}
			}
			if last {
				return outbox.Finish(tx, r.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// asked returns those of the users for whom the request is under way. It fails with
// outbox.ErrNoRequest if that has ended.
func (q *Queries) asked(tx *txn.Tx, r outbox.Request, users []matrix.UserID) (all []device.Tracking, v account.Account, err error) {
	if v, err = q.account.Active(tx); err != nil {
		return nil, v, err
	}
	_, there, err := outbox.Find(tx, r.ID)
	if err == nil && !there {
		err = fmt.Errorf("%w: %s", outbox.ErrNoRequest, r.ID)
	}
	if err != nil {
		return nil, v, err
	}
	found, err := records.UsersOf(tx, users...)
	if err != nil {
		return nil, v, err
	}
	for _, u := range found {
		if u.Query == device.Query(r.ID) {
			all = append(all, u.Tracking)
		}
	}
	return all, v, nil
}

// dataVersion is that of what a request keeps of its users.
const dataVersion = 2

// encodeUsers is what a request keeps: for whom it asks.
func encodeUsers(users []matrix.UserID) []byte {
	return record.Encode(dataVersion, 1, 64*len(users), func(w *record.Writer) {
		w.Count(len(users))
		for _, u := range users {
			w.Text(string(u))
		}
	})
}

func decodeUsers(data []byte) (users []matrix.UserID, err error) {
	err = record.Decode("query", data, dataVersion, 1, func(r *record.Reader) {
		for range r.Count(device.MaxQuery) {
			u := matrix.UserID(r.Text(matrix.MaxLength))
			if r.OK() {
				r.FailWith(u.Check())
			}
			users = append(users, u)
		}
	})
	if err != nil && !errors.Is(err, record.ErrVersion) {
		return nil, machine.Corrupt("the users of a query: %v", err)
	}
	return users, machine.Decoded(err)
}

// warn tells the log of what answers had that was not taken.
func (q *Queries) warn(ctx context.Context, user matrix.UserID, t device.Tracking) {
	if t.RefusedCount == 0 {
		return
	}
	first := t.Refused[0]
	q.account.Store.Log.LogAttrs(ctx, slog.LevelWarn, "devices or keys in an answer to keys/query were refused",
		slog.String("user", string(user)), slog.Int("refused", t.RefusedCount),
		slog.String("first", string(first.Device)), slog.String("why", first.Reason.String()))
}
