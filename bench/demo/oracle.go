package demo

import (
	"fmt"
	"sync"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// slot names a message key: no two ciphertexts may be under one.
type slot struct {
	session ratchet.SessionID
	chain   ratchet.PublicKey
	index   uint32
}

// oracle looks at every ciphertext that leaves anybody.
type oracle struct {
	mu     sync.Mutex
	used   map[slot]bool
	reused int
}

// see counts a ciphertext whose message key another one was encrypted under.
// It goes by what is on the wire alone.
func (o *oracle) see(e pawl.Encrypted) error {
	normal, err := normalOf(e.Message)
	if err != nil {
		return fmt.Errorf("a ciphertext that cannot be parsed: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s := slot{e.Session, normal.RatchetKey, normal.Index}
	if o.used[s] {
		o.reused++
	}
	o.used[s] = true
	return nil
}

func normalOf(m ratchet.Message) (ratchet.NormalMessage, error) {
	if m.Type == ratchet.PreKey {
		p, err := ratchet.ParsePreKeyMessage(m.Body)
		return p.Normal, err
	}
	return ratchet.ParseNormalMessage(m.Body)
}
