package claims

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Claims are the claims of an account. Its methods may be called from any number of
// goroutines.
type Claims struct {
	account  *machine.Account
	messages *todevice.Messages
}

// New returns the claims of an account.
func New(a *machine.Account, m *todevice.Messages) *Claims { return &Claims{a, m} }

// State is whether a device can be sent to.
type State uint8

const (
	// Ready: there is a session to send in.
	Ready State = iota + 1
	// Missing: there is none, and nobody asks for a key.
	Missing
	// Asked: a request that is not answered yet claims a key.
	Asked
	// Paused: the device or its server gave none lately and is asked again later.
	Paused
	// Damaged: what is stored of the device's sessions is damaged, so that none can
	// be opened before that is repaired.
	Damaged
)

// Standing is how far a device has come.
type Standing struct {
	Device   device.Keys
	State    State
	Request  outbox.ID // of Asked
	Failures int       // claims in a row that gave no key
	Again    time.Time // of Paused: when the device may be asked again
	Err      error     // of Damaged
}

// Waits reports that whoever wants to send to the device must wait for an answer.
// After a claim that failed nobody waits for another.
func (s Standing) Waits() bool {
	return s.Failures == 0 && (s.State == Missing || s.State == Asked)
}

// Look returns how far devices have come, in their order. It reads the peers, their
// sessions, and what is known of devices and servers.
func (c *Claims) Look(tx *txn.Tx, devices ...device.Keys) ([]Standing, error) {
	if err := c.prefetch(tx, devices); err != nil {
		return nil, err
	}
	all := make([]Standing, 0, len(devices))
	for _, d := range devices {
		s, _, err := c.look(tx, d)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (c *Claims) prefetch(tx *txn.Tx, devices []device.Keys) error {
	peers := make([]ratchet.PublicKey, len(devices))
	refs := []txn.Ref{c.account.Ref()}
	met := map[string]bool{}
	for i, d := range devices {
		peers[i] = d.Curve25519
		refs = append(refs, records.Reaches.Ref(ofDevice(d)))
		if server := d.Server(); !met[server] {
			met[server] = true
			refs = append(refs, records.Reaches.Ref(ofServer(server)))
		}
	}
	if err := tx.Prefetch(refs...); err != nil {
		return err
	}
	return c.messages.Prefetch(tx, peers...)
}

func ofDevice(d device.Keys) records.ReachName { return records.ReachName{Device: d.Curve25519} }
func ofServer(name string) records.ReachName   { return records.ReachName{Server: name} }

// look returns how far one device has come, and what is known of how it answers.
func (c *Claims) look(tx *txn.Tx, d device.Keys) (Standing, records.Reach, error) {
	s := Standing{Device: d}
	can, err := c.messages.CanSend(tx, d.Curve25519)
	switch {
	case can:
		s.State = Ready
		return s, records.Reach{}, nil
	case machine.IsDamage(err):
		s.State, s.Err = Damaged, err
		return s, records.Reach{}, nil
	case err != nil:
		return s, records.Reach{}, err
	}
	return c.reach(tx, s)
}

// reach returns how far a device has come that is to be asked for a key.
func (c *Claims) reach(tx *txn.Tx, s Standing) (Standing, records.Reach, error) {
	d := s.Device
	own, err := records.ReadReach(tx, c.account, ofDevice(d))
	if err != nil {
		return s, own, err
	}
	server, err := records.ReadReach(tx, c.account, ofServer(d.Server()))
	if err != nil {
		return s, own, err
	}
	now := c.account.Store.Now()
	s.State, s.Failures = Missing, max(own.Failures, server.Failures)
	for _, r := range []records.Reach{own, server} {
		if r.Pause.Lasts(now) {
			s.State = Paused
			s.Again = later(s.Again, r.Pause.Until)
		}
	}
	asked, err := isAsked(tx, own)
	if asked {
		s.State, s.Request = Asked, own.Claim
	}
	return s, own, err
}

// isAsked reports whether the request that claims a key of a device is still there.
// One that was killed while its answer was applied is not: it counts as one without
// an answer.
func isAsked(tx *txn.Tx, r records.Reach) (bool, error) {
	if r.Claim == (outbox.ID{}) {
		return false, nil
	}
	_, there, err := records.Requests.Get(tx, r.Claim)
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return false, nil
	}
	return there, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Due implements outbox.Handler: who wants to send makes the claims.
func (*Claims) Due(context.Context) error { return nil }
