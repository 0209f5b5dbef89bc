package keys

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
)

// lookAgain is how long what was found under the device's name is believed to be
// there still.
const lookAgain = time.Hour

// patience is how many bodies in a row nobody may hear of before they pause whatever
// syncs say: a server whose uploads fail and whose syncs do not is not to be sent keys
// with each sync.
const patience = 4

// ErrDeviceTaken: see package pawl.
var ErrDeviceTaken = errors.New("pawl: the server has other keys under this device's name")

// Uploads makes the requests that keep the server supplied with an account's keys,
// and applies their answers. One upload is under way at most: the record uploads
// names it.
type Uploads struct{ account *machine.Account }

// NewUploads returns the uploads of an account.
func NewUploads(a *machine.Account) *Uploads { return &Uploads{a} }

// standing is what an attempt knows of an account's keys.
type standing struct {
	tx      *txn.Tx
	account *machine.Account
	v       account.Account
	pool    otk.Pool
	known   bool // the account and its pool are read
	uploads records.Uploads
	now     time.Time
}

func read(tx *txn.Tx, a *machine.Account, may func(*txn.Tx) (account.Account, error)) (s standing, err error) {
	s = standing{tx: tx, account: a, now: a.Store.Now()}
	if err := tx.Prefetch(a.Ref(), records.Pool.Ref(), records.UploadStates.Ref()); err != nil {
		return s, err
	}
	if s.v, err = may(tx); err != nil {
		return s, err
	}
	if s.pool, err = records.PoolOf(tx, a); err != nil {
		return s, err
	}
	s.pool, s.known = s.pool.CurrentBack(s.now), true
	s.uploads, err = records.ReadUploads(tx, s.pool)
	return s, err
}

func (s *standing) put() error {
	at, err := s.account.Moment(s.tx, s.v, 0)
	if err != nil {
		return err
	}
	return records.PutUploads(s.tx, s.pool, s.uploads, at.Order)
}

// Due implements outbox.Handler: it gives up the upload whose sender is gone, and
// makes the next one if the server needs keys. It fails with ErrDeviceTaken.
func (u *Uploads) Due(ctx context.Context) error {
	a := u.account
	s := supply{account: a}
	for {
		done, err := txn.Do(ctx, a.DB, func(tx *txn.Tx) (step, error) { return u.step(tx, s) })
		switch {
		case errors.Is(err, errFull):
			// What was used takes the place of what is dropped otherwise.
			if _, err := records.ForgetUsed(ctx, a); err != nil {
				return err
			}
			s.tidy = true
		case err != nil || !done.more:
			return err
		default:
			s = done.supply
		}
	}
}

// step is one commit on the way to an upload.
type step struct {
	more   bool // another one follows
	supply supply
}

func (u *Uploads) step(tx *txn.Tx, from supply) (next step, err error) {
	next.supply = from
	s, err := read(tx, u.account, u.account.SendingRaised)
	if err != nil {
		return next, err
	}
	busy, ended, err := s.underWay()
	switch {
	case err != nil || busy:
		return next, err
	case ended:
		next.more = true
		return next, s.put()
	case s.uploads.Pause.Lasts(s.now):
		return next, nil
	}
	w := s.wanted()
	switch {
	case !w.anything():
		return next, nil
	case !s.uploads.Published && s.uploads.Look != records.Free:
		return next, s.look()
	}
	return s.upload(w, from)
}

// underWay reports whether an upload, or what precedes the first, is under way. One
// whose sender is gone is ended.
func (s *standing) underWay() (busy, ended bool, err error) {
	none := outbox.ID{}
	if id := s.uploads.Lookup; id != none {
		_, there, err := outbox.Find(s.tx, id)
		if err != nil && !machine.IsDamage(err) || there {
			return true, false, err
		}
		s.uploads.Lookup = none
		return false, true, nil
	}
	id := s.uploads.Under.Request
	if id == none {
		return false, false, nil
	}
	r, there, err := outbox.Find(s.tx, id)
	switch {
	case err != nil && !machine.IsDamage(err):
		return true, false, err
	case there && !r.Gone(s.now):
		return true, false, nil
	case there:
		err = outbox.Finish(s.tx, id)
	default: // what cannot be read is left for repair
		err = nil
	}
	if err == nil {
		err = s.unknown()
	}
	return false, true, err
}

// wants is what is to be in a body.
type wants struct {
	device   bool
	fallback bool // another than the one the server has
	keys     int
	count    bool // nothing but the answer: how many keys there are
}

func (w wants) anything() bool { return w.device || w.fallback || w.keys > 0 || w.count }

func (s *standing) wanted() wants {
	u := s.uploads
	current, _ := s.pool.Fallbacks()
	w := wants{device: !u.Published, fallback: !current.Published && current.ID != u.Used}
	if s.pool.FallbackDue(s.v.Lineage().KeysFrom, s.now) || s.pool.FallbackSpent(u.Used, s.now) {
		w.fallback = true
	}
	switch {
	case u.Counted:
		w.keys = max(records.UploadedKeys-u.Count, 0)
	case u.Unsure >= 2:
		// Any number of keys may have arrived. Ask before there are more.
		w.count = true
	default:
		w.keys = u.Retry
	}
	if u.Most > 0 {
		w.keys = min(w.keys, u.Most)
	}
	if u.Refused >= 2 || u.Unsure >= patience {
		w.keys = min(w.keys, 1) // to find out whether they are taken now
	}
	return w
}

// look asks the server what it has under the device's name.
func (s *standing) look() error {
	if s.uploads.Look == records.Taken && (records.Period{Since: s.uploads.Looked, Until: s.uploads.Looked.Add(lookAgain)}).Lasts(s.now) {
		return ErrDeviceTaken
	}
	name := s.account.Name
	body, err := json.Marshal(map[string]any{"device_keys": map[string][]string{string(name.User): {string(name.Device)}}})
	if err != nil {
		return err
	}
	s.uploads.Lookup, err = outbox.Add(s.tx, s.account, s.v, outbox.New{Kind: outbox.Lookup, Body: body})
	if err != nil {
		return err
	}
	return s.put()
}

// perCommit is how many keys one commit makes, beside all that a body takes.
func (s *standing) perCommit() int { return max(s.account.Store.PerCommit(each)-8, 1) }

// upload makes the keys, and in the last commit the body.
func (s *standing) upload(w wants, from supply) (next step, err error) {
	next.supply = from
	next.supply.sparing = s.uploads.Refused > 0 || s.uploads.Unsure > 0
	pool, lost, err := withholdDamaged(s.tx, s.account, s.pool, s.now)
	if err != nil {
		return next, err
	}
	missing := w.keys - pool.Count(otk.Generated)
	some := min(missing, s.perCommit())
	if pool, err = next.supply.generate(s.tx, pool, some, s.now); err != nil {
		return next, err
	}
	if s.pool = pool; some < missing && pool.Len() < otk.MaxKeys {
		next.more = true
		return next, s.put()
	}
	return next, s.body(w, lost, next.supply.dropped)
}

// body offers the keys, and makes the request.
func (s *standing) body(w wants, lost error, dropped []otk.ID) (err error) {
	s.pool, err = freshFallback(s.tx, s.account, s.pool, s.v.Lineage().KeysFrom, s.uploads.Used, lost, s.now)
	if err != nil {
		return err
	}
	pool, offered := s.pool.Offer(w.keys, s.now)
	fallback, _ := pool.Fallbacks()
	if fallback.Published || fallback.ID == s.uploads.Used {
		fallback = otk.Fallback{} // the server has it, or calls it unused when it comes again
	}
	if fallback.ID != 0 {
		pool = pool.SendFallback(s.now)
	}
	body, err := s.v.UploadBody(w.device, offered, fallback)
	if err != nil {
		return err
	}
	request, err := outbox.Add(s.tx, s.account, s.v, outbox.New{Kind: outbox.Upload, Body: body, Once: true})
	if err != nil {
		return err
	}
	s.pool = pool
	s.uploads.Under = records.UploadUnderWay{
		Request: request, DeviceKeys: w.device, OneTimeKeys: ids(offered), Fallback: fallback.ID,
	}
	s.tellDropped(dropped)
	return s.put()
}

func (s *standing) tellDropped(dropped []otk.ID) {
	if len(dropped) == 0 {
		return
	}
	log := s.account.Store.Log
	s.tx.OnCommit(func() {
		log.Warn("one-time keys were dropped: messages under them cannot be read any more", slog.Int("keys", len(dropped)))
	})
}

// Gate decides what is handed out: uploads that are under way, and nothing that
// names the device before the server has its keys.
func (u *Uploads) Gate(tx *txn.Tx, _ account.Account, r records.Request) (bool, error) {
	if r.Kind == outbox.Query || r.Kind == outbox.Claim {
		return true, nil
	}
	pool, err := records.ReadPool(tx)
	if err != nil && !machine.IsDamage(err) {
		return false, err
	}
	s, err := records.ReadUploads(tx, pool)
	if machine.IsDamage(err) {
		// What was noted cannot be read, so nothing that was noted is sent. The pool
		// tells whether the device is known.
		s, err = records.PublishedBy(pool), nil
	}
	switch r.Kind {
	case outbox.Upload:
		return s.Under.Request == r.ID, err
	case outbox.Lookup:
		return s.Lookup == r.ID, err
	}
	return s.Published, err
}
