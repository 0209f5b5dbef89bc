package records

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

const (
	// UploadedKeys is how many one-time keys a server is kept at.
	UploadedKeys = 50
	// DoubtLife is how long an upload of which nobody heard may still arrive: no
	// network keeps it longer.
	DoubtLife = 24 * time.Hour

	// MaxCount bounds how many keys a server is believed to have.
	MaxCount = 1 << 20

	maxDoubts = 16
)

// Look is what the server says of devices that have our name.
type Look uint8

// What it may say.
const (
	Unseen Look = iota // it was not asked
	Free               // there is none, or it is this one
	Taken              // it has other keys
)

// Uploads is how uploads of an account's keys stand: what of it is on the server as
// far as that is known, and the one upload that is under way.
type Uploads struct {
	Published bool      // the server has our device keys
	Look      Look      // before they are published first
	Looked    time.Time // when it answered
	Lookup    RequestID // asks it; zero: none does
	Under     UploadUnderWay
	Ended     uint64 // how many uploads have ended, well or not

	// Counted: the server said, after the last upload ended, that it has Count keys.
	Counted bool
	Count   int
	// Retry is how many keys go into the next body where it did not say: as many as
	// were in one that failed.
	Retry int
	// Used is the last fallback key that was used: the server said so, or it has opened
	// a session. In a body again it would count as unused.
	Used otk.ID

	Most     int       // one-time keys in a body, since a larger one was refused; 0: UploadedKeys
	Refused  uint32    // bodies in a row
	Unsure   uint32    // bodies in a row of whose outcome nobody heard
	Pause    Period    // until the next body
	Reported time.Time // when the log last said that bodies are refused
	Doubts   []Doubt   // the oldest first
}

// UploadUnderWay is what is in the body of an upload.
type UploadUnderWay struct {
	Request     RequestID // zero: none is under way
	DeviceKeys  bool
	OneTimeKeys []otk.ID
	Fallback    otk.ID // 0: none
}

// Doubt is that an upload of a fallback key may still arrive.
type Doubt struct {
	Key   otk.ID
	Since time.Time
}

// UploadStates: how uploads stand, the record uploads.
var UploadStates = txn.Single[Uploads]{Kind: "uploads", Codec: machine.Encoded[Uploads]{Read: decodeUploads}}

func uploadsKind() Kind {
	return Kind{
		Records: one(&UploadStates), Check: checkUploads, FinishRecovery: recoverUploads,
	}
}

const (
	uploadsVersion = 2 // there is none in format 1
	uploadsFields  = 20
)

// ReadUploads reads how uploads stand. Where nothing was noted yet the pool tells
// whether the device's keys were published: every body had them that a fallback key
// was in.
func ReadUploads(tx *txn.Tx, pool otk.Pool) (Uploads, error) {
	u, ok, err := UploadStates.Get(tx)
	if ok || err != nil && !machine.IsSetAside(err) {
		return u, err
	}
	u = PublishedBy(pool)
	if err != nil {
		u.Ended = 1 << 63 // no mark of before is one of now
	}
	return u, nil
}

// PublishedBy returns how uploads stand where only the pool tells.
func PublishedBy(pool otk.Pool) (u Uploads) {
	for f := range pool.AllFallbacks() {
		u.Published = u.Published || f.Published
	}
	if !u.Published {
		u.Retry = UploadedKeys
	}
	return u
}

// FallbackOpened notes that a fallback key has opened a session, if it is the current
// one. It is known to be used then, also if nobody heard of the upload that it was in.
// Where the pool or the uploads cannot be read nothing is noted: they are mended by
// themselves, with another key.
func FallbackOpened(tx *txn.Tx, id otk.ID) error {
	if err := tx.Prefetch(Pool.Ref(), UploadStates.Ref()); err != nil {
		return err
	}
	pool, err := ReadPool(tx)
	if current, _ := pool.Fallbacks(); err == nil && current.ID != id {
		return nil
	}
	var u Uploads
	if err == nil {
		u, err = ReadUploads(tx, pool)
	}
	switch {
	case machine.IsDamage(err), machine.IsSetAside(err):
		return nil
	case err != nil || u.Used == id:
		return err
	}
	u.Used = id
	return UploadStates.Put(tx, u)
}

// End returns how uploads stand when the one under way has ended, whatever became of
// it: nothing that the server said before counts any more.
func (u Uploads) End() Uploads {
	u.Under = UploadUnderWay{}
	u.Ended++
	u.Counted, u.Count, u.Retry = false, 0, 0
	return u
}

// Doubted returns what may still arrive, at a time.
func (u Uploads) Doubted(now time.Time) (keys []otk.ID) {
	for _, d := range u.Doubts {
		if d.lasts(now) {
			keys = append(keys, d.Key)
		}
	}
	return keys
}

// lasts reports whether the upload may still arrive. Of a clock before 1970 no time is
// kept, and such a doubt lasts until another is noted.
func (d Doubt) lasts(now time.Time) bool { return d.Since.IsZero() || now.Sub(d.Since) < DoubtLife }

// Doubt notes that an upload of a fallback key may still arrive. Doubts of the future,
// and those without a time, begin now: a clock was wrong, or is.
func (u Uploads) Doubt(key otk.ID, now time.Time) Uploads {
	var doubts []Doubt
	for _, d := range u.Doubts {
		if d.Key != key && d.lasts(now) {
			doubts = append(doubts, Doubt{d.Key, pastOr(d.Since, now)})
		}
	}
	if key != 0 {
		doubts = append(doubts, Doubt{key, frame.Time(now)})
	}
	u.Doubts = doubts[max(len(doubts)-maxDoubts, 0):]
	return u
}

// pastOr is a time, or now where it is in the future or there is none.
func pastOr(t, now time.Time) time.Time {
	if t.IsZero() || t.After(now) {
		return frame.Time(now)
	}
	return t
}

// EndOther returns how uploads stand when one has ended that is not the one under
// way, but of an embedder's own: it had the device's keys in it.
func (u Uploads) EndOther(published bool) Uploads {
	ended := u.End()
	ended.Under, ended.Retry = u.Under, u.Retry
	if published {
		ended.Published, ended.Retry = true, 0
	}
	return ended
}

// AbandonUpload returns the pool and how uploads stand when the one under way is
// given up: its keys may be on the server, or come to be, and are never offered
// again. The next body has as many fresh ones.
func AbandonUpload(pool otk.Pool, u Uploads, now time.Time) (otk.Pool, Uploads, error) {
	body := u.Under
	pool, err := pool.Abandon(now, OfferedOf(pool, body.OneTimeKeys)...)
	if err == nil && body.Fallback != 0 {
		pool, err = pool.AbandonFallback(now, body.Fallback)
		u = u.Doubt(body.Fallback, now)
	}
	u = u.End()
	u.Retry = len(body.OneTimeKeys)
	return pool, u, err
}

// OfferedOf returns those of some keys whose fate is still open: others were used, or
// given up by somebody else.
func OfferedOf(pool otk.Pool, ids []otk.ID) (offered []otk.ID) {
	for e := range pool.Entries() {
		if e.Stage != otk.Offered {
			continue
		}
		if _, in := slices.BinarySearch(ids, e.ID); in {
			offered = append(offered, e.ID)
		}
	}
	return offered
}

// PutUploads stores how uploads stand with the pool, in the account's order.
func PutUploads(tx *txn.Tx, pool otk.Pool, u Uploads, order frame.Order) error {
	if err := Pool.Put(tx, pool.Ordered(order)); err != nil {
		return err
	}
	return UploadStates.Put(tx, u)
}

// giveUpUpload gives the upload under way up, and keeps all of its keys from being
// offered.
var giveUpUpload = inOne("give the upload up: its keys are never offered again", func(tx *txn.Tx, a *machine.Account) error {
	u, ok, err := UploadStates.Get(tx)
	if err != nil || !ok {
		return err
	}
	pool, err := PoolOf(tx, a)
	if err != nil {
		return err
	}
	var again []ratchet.PublicKey
	for e := range pool.Entries() {
		if _, in := slices.BinarySearch(u.Under.OneTimeKeys, e.ID); in && e.Stage == otk.Generated {
			again = append(again, e.Public)
		}
	}
	if len(again) > 0 {
		if err := Pool.Put(tx, pool.Withhold(a.Store.Now(), again...)); err != nil {
			return err
		}
	}
	return endUpload(tx, a, func(Uploads) (bool, error) { return true, nil })
})
