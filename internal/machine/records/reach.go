package records

import (
	"context"
	"strings"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Reaches: how a device, or a server, answers to those who claim keys, as long as
// there is something to be said: reach/device/<curve25519>, reach/server/<name>.
var Reaches = txn.Record[ReachName, Reach]{
	Kind: "reach", Codec: machine.Encoded[Reach]{Read: DecodeReach},
	Name: func(r Reach) ReachName { return r.Of },
	Path: func(n ReachName) txn.Path {
		if n.Server != "" {
			return txn.PathOf("server", n.Server)
		}
		return txn.PathOf("device", n.Device.String())
	},
}

func reachKind() Kind { return Kind{Records: many(&Reaches), Sweep: sweepReaches} }

// ReachName names a server, or a device by its Curve25519 key.
type ReachName struct {
	Device ratchet.PublicKey // of a device
	Server string            // or of a server
}

// Reach says that keys of a device are being claimed, or how often in a row it, or
// a server, gave none, and when it is asked again. There is no record of one that
// gave a key last, or was never asked.
type Reach struct {
	Of       ReachName
	Failures int       // in a row, at most MaxFailures
	Pause    Period    // while it is not asked again
	Claim    RequestID // the request that claims a key of the device; zero: none
	At       time.Time // when the record was written
	Why      string    // why the last claim failed, for people; at most MaxWhy bytes
}

const (
	// firstPause is how long one that failed is not asked again. Each failure in a
	// row doubles it, up to lastPause.
	firstPause = 15 * time.Second
	lastPause  = 15 * time.Minute
	// MaxFailures is how many failures are counted: the pause is long at its end
	// before.
	MaxFailures = 100
	// MaxWhy bounds what is said of a failure.
	MaxWhy = 200
	// reachLife is how long a failure is remembered that nobody asked again after.
	reachLife = 2 * 7 * 24 * time.Hour
)

// Failed returns the record after a claim that failed.
func (r Reach) Failed(now time.Time, why string) Reach {
	pause := lastPause
	if r.Failures < 6 { // 15 s times 64 is more
		pause = firstPause << r.Failures
	}
	r.Failures = min(r.Failures+1, MaxFailures)
	r.Pause, r.At, r.Claim = For(now, pause), record.Time(now), RequestID{}
	r.Why = strings.ToValidUTF8(why[:min(len(why), MaxWhy)], "")
	return r
}

// FailedUntil is Failed where the server asks to wait so long, at most lastPause.
func (r Reach) FailedUntil(now time.Time, wait time.Duration, why string) Reach {
	r = r.Failed(now, why)
	if wait = min(wait, lastPause); r.Pause.Until.Before(now.Add(wait)) {
		r.Pause = For(now, wait)
	}
	return r
}

// Asked returns the record while a request claims a key.
func (r Reach) Asked(claim RequestID, now time.Time) Reach {
	r.Claim, r.At = claim, record.Time(now)
	return r
}

const (
	reachVersion = 2
	reachFields  = 8
)

// Encode returns the record.
func (r Reach) Encode() ([]byte, error) {
	return record.Encode(reachVersion, reachFields, 96+len(r.Of.Server)+len(r.Why), func(w *record.Writer) {
		w.Text(r.Of.Server)
		w.Bytes(r.Of.Device[:])
		w.Uint(uint64(r.Failures))
		w.Time(r.Pause.Since)
		w.Time(r.Pause.Until)
		w.Bytes(r.Claim[:])
		w.Time(r.At)
		w.Text(r.Why)
	}), nil
}

// DecodeReach reads a record of [Reach.Encode].
func DecodeReach(b []byte) (r Reach, err error) {
	err = record.Decode("reach", b, reachVersion, reachFields, func(in *record.Reader) {
		r.Of.Server = in.Text(matrix.MaxLength)
		in.Fixed(r.Of.Device[:])
		r.Failures = int(in.Uint(MaxFailures))
		r.Pause = Period{in.Time(), in.Time()}
		in.Fixed(r.Claim[:])
		r.At = in.Time()
		r.Why = in.Text(MaxWhy)
		in.Check(r.Failures > 0 || r.Pause == Period{} && r.Why == "", "a pause without a failure")
		in.Check((r.Of.Server == "") != (r.Of.Device == ratchet.PublicKey{}), "neither a server nor a device, or both")
	})
	if err != nil {
		return Reach{}, err
	}
	return r, nil
}

// ReadReach reads what is known of a device or a server. Of one whose record is
// damaged nothing is known: it is asked at once, and the damage is told.
func ReadReach(tx *txn.Tx, a *machine.Account, name ReachName) (Reach, error) {
	r, ok, err := Reaches.Get(tx, name)
	if machine.IsDamage(err) {
		a.Store.Tell(tx, []error{err})
	}
	switch {
	case machine.IsDamage(err), machine.IsSetAside(err), err == nil && !ok:
		return Reach{Of: name}, nil
	}
	return r, err
}

// sweepReaches forgets failures that are long ago, and those of a clock that was
// wrong: what is lost is a pause.
func sweepReaches(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, r Reach) (bool, error) { return s.Now.Sub(r.At).Abs() >= reachLife, nil }
	_, err := machine.Delete(&Reaches, machine.Share{Bytes: 256, Writes: 1, Checks: 1}, &s.Damaged, old).All(ctx, s.Account)
	return err
}
