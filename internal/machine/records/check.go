package records

import (
	"context"
	"fmt"
	"iter"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Checkup is one check of an account, in one view. It collects what is broken,
// each thing once: that a record cannot be read is not said again of those that
// name it.
type Checkup struct {
	Tx      *txn.Tx
	Account *machine.Account
	Found   []Finding

	states   map[string]state // of what is stored of all kinds, by key
	unread   []unread         // what is damaged of it
	sessions map[ratchet.SessionID]session.Session
	missed   map[ratchet.SessionID]bool
	aside    map[string]bool // kinds of which something was set aside
}

// Finding is something that is broken.
type Finding struct {
	Kind   string // of the record
	Broken string // what is the matter
	Fix    *Fix   // nil: nothing can be done about it here
}

// Fix is what repair does about a finding, in commits of its own. Each looks again
// at what it changes, and does nothing if that has changed meanwhile.
type Fix struct {
	Says string
	Do   func(ctx context.Context, a *machine.Account) error
}

// inOne returns a fix that is one commit. It does nothing to an account that was
// moved away.
func inOne(says string, do func(tx *txn.Tx, a *machine.Account) error) *Fix {
	return &Fix{says, func(ctx context.Context, a *machine.Account) error {
		return a.Do(ctx, func(tx *txn.Tx) error {
			if _, err := a.Active(tx); err != nil {
				return err
			}
			return do(tx, a)
		})
	}}
}

// state is what stands under a key.
type state int

const (
	nothing  state = iota
	whole          // a record of that name
	broken         // what cannot be read
	misnamed       // a record of another name
	aside          // the mark of what was set aside
)

// unread is what stands under a key and is no record of that name.
type unread struct {
	kind    *Kind
	key     string
	version kv.Version
	says    string
}

// NewCheckup looks at all that is stored of an account. The error is of a record
// that is not damaged and cannot be read all the same: a newer program's.
func NewCheckup(tx *txn.Tx, a *machine.Account, kinds []Kind) (*Checkup, error) {
	c := &Checkup{Tx: tx, Account: a, states: map[string]state{}}
	for i := range kinds {
		if kinds[i].Records == nil {
			continue
		}
		if err := kinds[i].Records.look(c, &kinds[i]); err != nil {
			return nil, err
		}
	}
	if err := c.readMissed(); err != nil {
		return nil, err
	}
	for _, u := range c.unread {
		c.Find(u.kind.Records.Kind, u.kind.fix(c, u), "%s", u.says)
	}
	return c, nil
}

// Find notes that something is broken.
func (c *Checkup) Find(kind string, fix *Fix, format string, args ...any) {
	c.Found = append(c.Found, Finding{kind, fmt.Sprintf(format, args...), fix})
}

// fix returns what to do about what cannot be read: the kind's own rule, or to
// set it aside.
func (k *Kind) fix(c *Checkup, u unread) *Fix {
	if k.Broken != nil {
		return k.Broken(c, u)
	}
	return setAsideFix(u, nil)
}

// see notes what stands under a key. It returns an error that is no damage.
func (c *Checkup) see(k *Kind, key, own string, version kv.Version, err error) error {
	u := unread{kind: k, key: key, version: version}
	switch {
	case machine.IsSetAside(err):
		c.states[key] = aside
	case machine.IsDamage(err):
		c.states[key] = broken
		u.says = fmt.Sprintf("%s record: %v", k.Records.Kind, err)
		c.unread = append(c.unread, u)
	case err != nil:
		return err
	case own != key:
		c.states[key] = misnamed
		u.says = fmt.Sprintf("%s record %q is stored under another name, %q", k.Records.Kind, own, key)
		c.unread = append(c.unread, u)
	default:
		c.states[key] = whole
	}
	return nil
}

// at returns what stands under the key of a record.
func at[N, T any](c *Checkup, r *txn.Record[N, T], name N) state {
	key, err := r.Key(c.Tx, name)
	if err != nil {
		return nothing
	}
	return c.states[key]
}

// readable yields the records of their own names: of others the check has
// complained already.
func readable[N, T any](c *Checkup, r *txn.Record[N, T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v, err := range r.Scan(c.Tx) {
			if err == nil && at(c, r, r.Name(v)) == whole && !yield(v) {
				return
			}
		}
	}
}

// sessionsByID returns all sessions, tombstones too.
func (c *Checkup) sessionsByID() map[ratchet.SessionID]session.Session {
	if c.sessions == nil {
		c.sessions = map[ratchet.SessionID]session.Session{}
		for s := range readable(c, &Sessions) {
			c.sessions[s.ID()] = s
		}
	}
	return c.sessions
}

// mayBeGone reports whether a session that is not there is known to be gone, or
// may be one that cannot be read, which the check says by itself.
func (c *Checkup) mayBeGone(id ratchet.SessionID) bool {
	return c.missed[id] || c.anyUnread(Sessions.Kind)
}

// anyUnread reports whether some record of a kind cannot be read, so that one
// that is missing may be it.
func (c *Checkup) anyUnread(kind string) bool {
	for _, u := range c.unread {
		if u.kind.Records.Kind == kind {
			return true
		}
	}
	return false
}
