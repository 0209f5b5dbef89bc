package ratchet

import (
	"crypto/rand"
	"sync"
	"testing"
)

// TestBranchesAreIndependent: several callers may go on from one state, at
// once and by different messages; whose result is kept is decided elsewhere.
// Under -race it also shows that states share only what nobody writes.
func TestBranchesAreIndependent(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, m := burst(t, bob, 60)
	alice, _ = mustDecrypt(t, alice, m[30])
	alice, _ = mustDecrypt(t, alice, m[4]) // leaves room behind the skipped keys
	record := mustRecord(t, alice)

	var all sync.WaitGroup
	for leap := 31; leap < 59; leap++ {
		all.Go(func() {
			s, _, err := alice.Decrypt(mustParse(t, m[leap]))
			if err != nil {
				t.Errorf("branch to %d: %v", leap, err)
				return
			}
			for i := leap - 1; i > 30; i-- {
				if s, _, err = s.Decrypt(mustParse(t, m[i])); err != nil {
					t.Errorf("branch to %d, message %d: %v", leap, i, err)
				}
			}
			if _, _, err := s.Encrypt(rand.Reader, nil); err != nil {
				t.Errorf("branch to %d: %v", leap, err)
			}
		})
	}
	all.Wait()
	if got := mustRecord(t, alice); string(got) != string(record) {
		t.Error("a branch changed the state it began from")
	}
}
