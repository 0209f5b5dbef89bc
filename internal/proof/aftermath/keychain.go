package aftermath

import (
	"context"
	"sync"

	"github.com/pawlkv/pawl/kv/witness"
)

// Keychain is a witness that no accident of a store reaches.
type Keychain struct {
	mu    sync.Mutex
	saved witness.Mark
}

var _ witness.Witness = (*Keychain)(nil)

// Load implements witness.Witness.
func (k *Keychain) Load(context.Context) (witness.Mark, error) {
	if m := k.mark(); m != (witness.Mark{}) {
		return m, nil
	}
	return witness.Mark{}, witness.ErrNone
}

// Save implements witness.Witness.
func (k *Keychain) Save(_ context.Context, m witness.Mark) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m.Supersedes(k.saved) {
		k.saved = m
	}
	return nil
}

func (k *Keychain) mark() witness.Mark {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.saved
}
