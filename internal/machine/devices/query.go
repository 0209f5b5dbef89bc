package devices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

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

// askShare is what asking for a user takes of a commit, which may look at an earlier
// request for it.
var askShare = machine.Share{Bytes: records.UserShare.Bytes, Writes: 2, Checks: 3}

// serverWait is how long a server should wait for others, in milliseconds.
const serverWait = 10_000

// Due makes requests for all users who are outdated and for whom none is under way,
// at most device.MaxQuery in each, and fewer where servers refused to answer.
func (q *Queries) Due(ctx context.Context) error {
	due, err := txn.View(ctx, q.account.DB, q.find)
	if err != nil {
		return err
	}
	if due.listed {
		if err := q.noteListed(ctx, due.epoch); err != nil {
			return err
		}
	}
	for together, users := range due.users {
		for some := range slices.Chunk(users, min(together, q.account.Store.PerCommit(askShare))) {
			if err := q.ask(ctx, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// due is who is to be asked for.
type due struct {
	epoch  record.Order
	users  map[int][]matrix.UserID // by how many are asked for together
	listed bool                    // all users know of the epoch, and Epoch does not say so
}

// find looks on the list of the outdated, and at all users where that may not have
// all of them.
func (q *Queries) find(tx *txn.Tx) (d due, err error) {
	v, err := q.account.SendingRaised(tx)
	if err != nil {
		return d, err
	}
	epoch, err := records.EpochOf(tx, q.account, v)
	if err != nil {
		return d, err
	}
	var damaged machine.Damages
	now := q.account.Store.Now()
	d = due{epoch.All, map[int][]matrix.UserID{}, epoch.Listed < epoch.All}
	seen := map[matrix.UserID]bool{}
	var listed []matrix.UserID
	for w, err := range records.Outdated.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return d, err
		}
		if err == nil && w.Due(now) {
			listed = append(listed, w.User)
			seen[w.User] = true
		}
	}
	if !seen[v.User()] {
		listed = append(listed, v.User())
		seen[v.User()] = true
	}
	all, err := records.UsersOf(tx, listed...)
	if err != nil {
		return d, err
	}
	if d.listed {
		for t, err := range records.Users.Scan(tx) {
			if err != nil && !damaged.Note(err) {
				return d, err
			}
			if err == nil && t.Left.IsZero() && t.Epoch < epoch.All {
				d.listed = false
				if !seen[t.User] {
					all = append(all, records.User{Tracking: t})
				}
			}
		}
	}
	for _, u := range all {
		u, err := q.alive(tx, u)
		if err != nil {
			return d, err
		}
		if u.Due(epoch.All, now) {
			d.users[u.Together()] = append(d.users[u.Together()], u.User)
		}
	}
	q.account.Store.Tell(tx, damaged.All())
	return d, nil
}

// alive returns the user as one for whom no query is under way if its request is not
// there any more, or cannot be handed out. A record that is lost begins anew, and the
// own user is followed without a word of anybody.
func (q *Queries) alive(tx *txn.Tx, u records.User) (records.User, error) {
	if u.Lost != nil || u.User == q.account.Name.User {
		u.Tracking = u.Track()
	}
	if u.Query == (device.Query{}) {
		return u, nil
	}
	r, there, err := outbox.Find(tx, outbox.ID(u.Query))
	if there && !r.Lease.Lasts(q.account.Store.Now()) {
		_, there, err = records.RequestBodies.Get(tx, r.ID)
	}
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return u, err
	}
	if !there {
		u.Tracking = u.Forgotten()
	}
	return u, nil
}

// noteListed notes that no user is behind an epoch any more, so that nobody looks at
// all of them until the next.
func (q *Queries) noteListed(ctx context.Context, epoch record.Order) error {
	return q.account.Do(ctx, func(tx *txn.Tx) error {
		v, err := q.account.Active(tx)
		if err != nil {
			return err
		}
		e, err := records.EpochOf(tx, q.account, v)
		if err != nil || e.All != epoch || e.Listed == epoch {
			return err
		}
		e.Listed = epoch
		return records.Tracking.Put(tx, e)
	})
}

// ask makes one request for those of the users who are still to be asked for.
func (q *Queries) ask(ctx context.Context, users []matrix.UserID) error {
	return q.account.Do(ctx, func(tx *txn.Tx) error {
		v, err := q.account.SendingRaised(tx)
		if err != nil {
			return err
		}
		epoch, err := records.EpochOf(tx, q.account, v)
		if err != nil {
			return err
		}
		all, err := records.UsersOf(tx, users...)
		if err != nil {
			return err
		}
		var still []records.User
		for _, u := range all {
			if u, err = q.alive(tx, u); err != nil {
				return err
			}
			if u.Due(epoch.All, q.account.Store.Now()) {
				still = append(still, u)
			}
		}
		if len(still) == 0 {
			return nil
		}
		return q.add(tx, v, still, epoch.All)
	})
}

func (q *Queries) add(tx *txn.Tx, v account.Account, users []records.User, epoch record.Order) error {
	body := struct {
		Timeout int                        `json:"timeout"`
		Devices map[matrix.UserID][]string `json:"device_keys"`
	}{serverWait, map[matrix.UserID][]string{}}
	var names []matrix.UserID
	for _, u := range users {
		body.Devices[u.User] = []string{}
		names = append(names, u.User)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	id, err := outbox.Add(tx, q.account, v, outbox.New{Kind: outbox.Query, Body: raw, Data: encodeUsers(names)})
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := records.PutUser(tx, u.Ask(device.Query(id), epoch)); err != nil {
			return err
		}
	}
	return nil
}

// Failed lets the users be asked for again after a while, in another request: who
// waited for them goes on without. Where the server did not look at the request at
// all, the same is sent again.
func (q *Queries) Failed(ctx context.Context, r outbox.Request, f outbox.Failure) error {
	if f.Untouched() && f.Reason != outbox.Later {
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
	now := q.account.Store.Now()
	var until time.Time
	if f.Reason == outbox.Later {
		until = f.Until
	}
	return q.finish(ctx, r, users, func(t device.Tracking) device.Tracking {
		if f.Rejected() || f.TooLarge() {
			return t.AskedInVain(now)
		}
		return t.Failed(now, until)
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
