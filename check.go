package pawl

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Check verifies every invariant of the account over one snapshot and returns
// what is broken, a line each, sorted; nothing means that all hold:
//
//   - every record opens and decodes, is stored once and under its own name,
//     and its keys belong together;
//   - a peer lists exactly its live sessions;
//   - every key in the pool has its record, with the pool's id, and every
//     unused key is in the pool; no id is there twice;
//   - a one-time key is used up exactly when the session it opened exists;
//   - the session of every receipt that keeps a message key exists.
//
// It reads everything and writes nothing. The error is of the store.
func (m *Machine) Check(ctx context.Context) ([]string, error) {
	return txn.View(ctx, m.db, func(tx *txn.Tx) ([]string, error) {
		a, err := m.account(tx)
		if err != nil {
			return nil, err
		}
		c := checker{sessions: map[ratchet.SessionID]session.Session{}, keys: map[ratchet.PublicKey]otk.Key{}}
		c.must(a.Check(), "account record")
		c.load(tx)
		c.checkPeers()
		c.checkSessions()
		c.checkPool()
		c.checkKeys(m.now())
		c.checkReceipts()
		slices.Sort(c.broken)
		return c.broken, nil
	})
}

// checker holds an account's records and collects what is wrong with them.
type checker struct {
	peers    []session.Peer
	sessions map[ratchet.SessionID]session.Session // tombstones too
	listed   map[ratchet.SessionID]bool
	pool     otk.Pool
	keys     map[ratchet.PublicKey]otk.Key // tombstones too
	receipts []session.Receipt
	broken   []string
}

func (c *checker) fail(format string, args ...any) {
	c.broken = append(c.broken, fmt.Sprintf(format, args...))
}

func (c *checker) must(err error, what string, args ...any) {
	if err != nil {
		c.fail("%s: %v", fmt.Sprintf(what, args...), err)
	}
}

// load calls keep for every record of a kind that can be read, and complains of
// those that are not, or not only, stored under their own name.
func load[N, T any](tx *txn.Tx, c *checker, r *txn.Record[N, T], keep func(T)) {
	all, own := 0, map[txn.Path]bool{}
	for v, err := range r.Scan(tx) {
		if err != nil {
			c.must(err, "%s record", r.Kind)
			continue
		}
		all++
		name := r.Name(v)
		if _, found, err := r.Get(tx, name); err != nil || !found {
			c.fail("%s %s is stored under another name", r.Kind, r.Path(name))
		}
		own[r.Path(name)] = true
		keep(v)
	}
	if all != len(own) {
		c.fail("%d %s records are copies of others under another name", all-len(own), r.Kind)
	}
}

func (c *checker) load(tx *txn.Tx) {
	load(tx, c, &peers, func(p session.Peer) { c.peers = append(c.peers, p) })
	load(tx, c, &sessions, func(s session.Session) { c.sessions[s.ID()] = s })
	load(tx, c, &keys, func(k otk.Key) { c.keys[k.Public()] = k })
	load(tx, c, &receipts, func(r session.Receipt) { c.receipts = append(c.receipts, r) })
	var err error
	c.pool, _, err = pools.Get(tx)
	c.must(err, "one-time key pool")
}

// checkPeers: what a peer lists exists, is live, and is with that peer.
func (c *checker) checkPeers() {
	c.listed = map[ratchet.SessionID]bool{}
	for _, p := range c.peers {
		for _, id := range p.Sessions() {
			c.listed[id] = true
			s, exists := c.sessions[id]
			if !exists {
				c.fail("peer %s lists session %s, which is missing", p.Identity(), id)
				continue
			}
			if s.Peer() != p.Identity() {
				c.fail("peer %s lists session %s, which is with %s", p.Identity(), id, s.Peer())
			}
			if _, pruned := s.Pruned(); pruned {
				c.fail("peer %s lists session %s, which was pruned", p.Identity(), id)
			}
		}
	}
}

// checkSessions: a live session is listed, and the one-time key of ours that
// opened it is used up.
func (c *checker) checkSessions() {
	for id, s := range c.sessions {
		if _, pruned := s.Pruned(); !pruned && !c.listed[id] {
			c.fail("session %s with %s is not listed by its peer", id, s.Peer())
		}
		if s.Origin() != session.WithOneTimeKey {
			continue
		}
		k, exists := c.keys[s.OneTimeKey()]
		if !exists {
			c.fail("one-time key %s, which opened session %s, left no tombstone", s.OneTimeKey(), id)
			continue
		}
		if by, _, used := k.Used(); !used || by != id {
			c.fail("one-time key %s opened session %s and is not marked so", s.OneTimeKey(), id)
		}
	}
}

// checkPool: what the pool names exists, with the same id and no other.
func (c *checker) checkPool() {
	seen := map[otk.ID]bool{}
	named := func(id otk.ID, public ratchet.PublicKey, fallback bool) {
		k, exists := c.keys[public]
		switch {
		case seen[id]:
			c.fail("key id %s is in the pool twice", id)
		case !exists:
			c.fail("the pool names key %s (%s), which is missing", id, public)
		case k.ID() != id || k.Fallback() != fallback:
			c.fail("key %s has another id or kind in the pool (%s)", public, id)
		case id >= c.pool.Next():
			c.fail("key id %s was not given out yet", id)
		}
		seen[id] = true
	}
	for e := range c.pool.Entries() {
		named(e.ID, e.Public, false)
	}
	current, previous := c.pool.Fallbacks()
	for _, f := range []otk.Fallback{current, previous} {
		if f.ID != 0 {
			named(f.ID, f.Public, true)
		}
	}
}

// checkKeys: an unused key is in the pool, its parts belong together, and a
// used one opened the session it names.
func (c *checker) checkKeys(now time.Time) {
	pooled := map[ratchet.PublicKey]bool{}
	for e := range c.pool.Entries() {
		pooled[e.Public] = true
	}
	current, previous := c.pool.Fallbacks()
	pooled[current.Public], pooled[previous.Public] = true, true
	for public, k := range c.keys {
		c.must(k.Check(), "key %s", public)
		by, at, used := k.Used()
		if !used {
			if !pooled[public] {
				c.fail("key %s (%s) is not in the pool", k.ID(), public)
			}
			continue
		}
		s, exists := c.sessions[by]
		switch {
		case exists && s.OneTimeKey() != public:
			c.fail("one-time key %s names session %s, which another key opened", public, by)
		case !exists && now.Sub(at) < session.ReceiptLife:
			// Later, the session's own tombstone may have been swept, and the
			// key's goes with the next sweep.
			c.fail("one-time key %s is used up and session %s, which it opened, is missing", public, by)
		}
	}
}

// checkReceipts: tombstones of sessions outlive the message keys in receipts.
func (c *checker) checkReceipts() {
	for _, r := range c.receipts {
		_, kept := r.Key()
		if _, exists := c.sessions[r.Session()]; kept && !exists {
			c.fail("receipt %s is of session %s, which is missing", r.ID(), r.Session())
		}
	}
}
