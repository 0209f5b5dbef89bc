package keys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

const (
	firstPause = time.Minute
	mostPause  = time.Hour
	// reportEvery is how often the log says that uploads are refused.
	reportEvery = 24 * time.Hour

	// maxNamed bounds the part of an error's text in which key ids are looked for.
	maxNamed = 64 << 10
	// maxSkip bounds how far ahead a server may make ids jump: a recovery jumps less.
	maxSkip = 1 << 26
	// skipMore is added, more each time, to what a server names: it names one id, and
	// may have others beyond.
	skipMore     = 1 << 10
	mostSkipMore = 1 << 16
)

// Sent implements outbox.Handler.
func (u *Uploads) Sent(ctx context.Context, r outbox.Request, response []byte) error {
	if r.Kind == outbox.Lookup {
		return u.looked(ctx, r, response)
	}
	count, err := parseCounts(response)
	if err != nil {
		return err
	}
	return u.settle(ctx, r, func(s *standing) error { return s.published(count) })
}

// settle applies what became of the upload under way, in one commit with the end of
// its request.
func (u *Uploads) settle(ctx context.Context, r outbox.Request, apply func(*standing) error) error {
	return u.account.Do(ctx, func(tx *txn.Tx) error {
		s, err := read(tx, u.account, u.account.ActiveRaised)
		if err != nil {
			return err
		}
		if err := outbox.Await(tx, r.ID); err != nil {
			return err
		}
		if s.uploads.Under.Request != r.ID {
			return fmt.Errorf("%w: %s", outbox.ErrNoRequest, r.ID)
		}
		if err := apply(&s); err != nil {
			return err
		}
		if err := outbox.Finish(tx, r.ID); err != nil {
			return err
		}
		return s.put()
	})
}

// parseCounts returns how many one-time keys the server has after an upload.
func parseCounts(response []byte) (int, error) {
	var answer struct {
		Counts map[string]uint64 `json:"one_time_key_counts"`
	}
	if err := outbox.Object(response, &answer); err != nil {
		return 0, err
	}
	if answer.Counts == nil {
		return 0, fmt.Errorf("%w: it has no one_time_key_counts", outbox.ErrAnswer)
	}
	return int(min(answer.Counts["signed_curve25519"], records.MaxCount)), nil
}

// published records that the server took the upload, and has so many keys now.
func (s *standing) published(count int) (err error) {
	body := s.uploads.Under
	s.pool, err = s.pool.Publish(s.now, records.OfferedOf(s.pool, body.OneTimeKeys)...)
	if err != nil {
		return err
	}
	if body.Fallback != 0 {
		if err := s.publishFallback(body.Fallback); err != nil {
			return err
		}
	}
	u := s.uploads.End()
	u.Published = u.Published || body.DeviceKeys
	u.Refused, u.Unsure, u.Pause = 0, 0, records.Period{}
	if u.Most > 0 {
		u.Most = 2 * u.Most % (2 * records.UploadedKeys)
	}
	if u.Most >= records.UploadedKeys {
		u.Most = 0
	}
	if len(body.OneTimeKeys) == 0 {
		u.Counted, u.Count = true, count // this request began after the last keys were sent
	}
	s.uploads = u
	return nil
}

// publishFallback records that the server has a fallback key. Those whose uploads
// may still arrive are not replaced by it.
func (s *standing) publishFallback(id otk.ID) (err error) {
	if s.pool, err = s.pool.PublishFallback(s.now, id); err == nil {
		s.pool = s.pool.DoubtFallbacks(s.uploads.Doubted(s.now)...)
	}
	return err
}

// Failed implements outbox.Handler.
func (u *Uploads) Failed(ctx context.Context, r outbox.Request, f outbox.Failure) error {
	if r.Kind == outbox.Lookup || f.Untouched() && r.Mine {
		return u.again(ctx, r, f)
	}
	return u.settle(ctx, r, func(s *standing) error {
		switch {
		case f.TooLarge() && len(s.uploads.Under.OneTimeKeys) > 1:
			return s.tooLarge()
		case f.TooLarge(), f.Rejected():
			return s.rejected(f)
		}
		return s.unknown()
	})
}

// again lets the same bytes be sent again: of an upload by the same process, which
// says that they did not leave.
func (u *Uploads) again(ctx context.Context, r outbox.Request, f outbox.Failure) error {
	if f.Rejected() || f.TooLarge() {
		f.Status = 500 // a look at the own device is never given up
	}
	return u.account.Do(ctx, func(tx *txn.Tx) error {
		if _, err := u.account.ActiveRaised(tx); err != nil {
			return err
		}
		_, err := outbox.Settle(tx, u.account, r, f)
		return err
	})
}

func (s *standing) abandon() (err error) {
	s.pool, s.uploads, err = records.AbandonUpload(s.pool, s.uploads, s.now)
	return err
}

// unknown records that nobody knows whether the upload arrived. The next has fresh
// keys, at once; after that the server is asked how many it has.
func (s *standing) unknown() error {
	if err := s.abandon(); err != nil {
		return err
	}
	u := &s.uploads
	if u.Unsure++; u.Unsure >= 2 {
		u.Pause = records.For(s.now, outbox.Backoff(u.Unsure-1, firstPause, mostPause))
	}
	return nil
}

// tooLarge halves the next body.
func (s *standing) tooLarge() error {
	half := len(s.uploads.Under.OneTimeKeys) / 2
	if err := s.abandon(); err != nil {
		return err
	}
	s.uploads.Most, s.uploads.Retry = half, half
	return nil
}

// rejected records that the server does not take the body. Servers differ in how
// they say that an id is taken, so it is taken for that: ids jump past what the
// server names and what is known, one further body has fresh keys, and after that
// there are pauses.
func (s *standing) rejected(f outbox.Failure) error {
	keys := len(s.uploads.Under.OneTimeKeys)
	if err := s.abandon(); err != nil {
		return err
	}
	u := &s.uploads
	u.Refused++
	if keys > 0 {
		past := max(s.pool.Next()-1, named(f.Body, s.pool.Next()))
		s.pool = s.pool.Skip(past + otk.ID(min(skipMore<<min(u.Refused, 10), mostSkipMore, ^uint32(0)-uint32(past))))
	}
	if u.Refused >= 2 {
		u.Pause = records.For(s.now, outbox.Backoff(u.Refused-1, firstPause, mostPause))
		s.report(f)
	}
	return nil
}

// report tells the log, once a day.
func (s *standing) report(f outbox.Failure) {
	since := s.uploads.Reported
	if (records.Period{Since: since, Until: since.Add(reportEvery)}).Lasts(s.now) {
		return
	}
	s.uploads.Reported = s.now
	log, bodies := s.account.Store.Log, s.uploads.Refused
	s.tx.OnCommit(func() {
		log.Warn("the server refuses uploads of one-time keys: peers that have no session may be unable to open one",
			slog.Int("status", f.Status), slog.Int("bodies", int(bodies)))
	})
}

// idLength is how many characters the id of a key has.
const idLength = 6

// named returns the highest key id that an error names, or 0. One too far ahead of
// the next is not believed: ids are used up by jumps.
func named(body []byte, next otk.ID) (highest otk.ID) {
	rest := body[:min(len(body), maxNamed)]
	for {
		_, after, found := bytes.Cut(rest, []byte("signed_curve25519:"))
		if !found {
			return highest
		}
		rest = after
		id, err := otk.ParseID(string(rest[:min(len(rest), idLength)]))
		if err == nil && (id < next || id-next < maxSkip) {
			highest = max(highest, id)
		}
	}
}

// looked applies what the server has under the device's name.
func (u *Uploads) looked(ctx context.Context, r outbox.Request, response []byte) error {
	theirs, err := parseOwnDevice(response, u.account.Name.User, u.account.Name.Device)
	if err != nil {
		return err
	}
	taken, err := txn.Do(ctx, u.account.DB, func(tx *txn.Tx) (bool, error) {
		s, err := read(tx, u.account, u.account.ActiveRaised)
		if err != nil {
			return false, err
		}
		if err := outbox.Await(tx, r.ID); err != nil {
			return false, err
		}
		if err := outbox.Finish(tx, r.ID); err != nil {
			return false, err
		}
		taken := theirs.other(s.v)
		if s.uploads.Lookup == r.ID {
			s.uploads.Look, s.uploads.Looked, s.uploads.Lookup = records.Free, s.now, outbox.ID{}
			if taken {
				s.uploads.Look = records.Taken
			}
		}
		return taken, s.put()
	})
	if err == nil && taken {
		err = ErrDeviceTaken
	}
	return err
}

// ownDevice is what a server has under our name. The zero value is nothing.
type ownDevice struct {
	there               bool
	curve25519, ed25519 string
}

func parseOwnDevice(response []byte, user matrix.UserID, device matrix.DeviceID) (d ownDevice, err error) {
	var answer struct {
		Devices map[string]map[string]json.RawMessage `json:"device_keys"`
	}
	if err := outbox.Object(response, &answer); err != nil {
		return d, err
	}
	if answer.Devices == nil {
		return d, fmt.Errorf("%w: it has no device_keys", outbox.ErrAnswer)
	}
	raw, there := answer.Devices[string(user)][string(device)]
	if !there {
		return d, nil
	}
	var keys struct {
		Keys map[string]string `json:"keys"`
	}
	if err := outbox.Object(raw, &keys); err != nil {
		return d, err
	}
	return ownDevice{true, keys.Keys["curve25519:"+string(device)], keys.Keys["ed25519:"+string(device)]}, nil
}

// other reports that these are not the keys of this account. What is no key is not.
func (d ownDevice) other(v account.Account) bool {
	if !d.there {
		return false
	}
	curve, err := ratchet.ParsePublicKey(d.curve25519)
	ed, err2 := account.ParseVerifyKey(d.ed25519)
	return errors.Join(err, err2) != nil || curve != v.Identity() || ed != v.Fingerprint()
}
