package story

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"sync"
)

// Streams of randomness that follow from one seed. Handles count from 0.
const (
	peerStream   = 1 << 32
	choiceStream = 2 << 32
	opsStream    = 3 << 32
)

// newRand is a source of keys for tests: the n-th stream of a seed.
func newRand(seed, n uint64) io.Reader {
	return &lockedReader{source: rand.NewChaCha8(streamKey(seed, n))}
}

// newChoices is a source of decisions.
func newChoices(seed, n uint64) *rand.Rand { return rand.New(rand.NewChaCha8(streamKey(seed, n))) }

func streamKey(seed, n uint64) (key [32]byte) {
	binary.BigEndian.PutUint64(key[:], seed)
	binary.BigEndian.PutUint64(key[8:], n)
	return key
}

type lockedReader struct {
	mu     sync.Mutex
	source io.Reader
}

func (r *lockedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}
