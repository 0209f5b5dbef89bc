//go:build unix

package pawl_test

import (
	"context"
	"crypto/rand"
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// skippedInEach is how many keys of lost messages each session of a crowd keeps.
const skippedInEach = ratchet.MaxSkippedKeys - 1

// BenchmarkDecryptCrowded is the cost of one stored decrypt of a peer with as many
// sessions as there may be, all of which have lost messages: what having no cache
// costs in time and in CPU, on Badger, for one session after another.
func BenchmarkDecryptCrowded(b *testing.B) {
	policies := map[string]txn.CachePolicy{"none": txn.NoCache, "validated": txn.Validated}
	for _, policy := range []string{"none", "validated"} {
		b.Run("badger/cache="+policy, func(b *testing.B) {
			store, err := badgerkv.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			bob := newMachine(b, store, "@bob:example.org", pawl.WithCache(policies[policy]))
			messages := crowdedPeer(b, bob, b.N)
			began := cpuTime(b)
			b.ResetTimer()
			for _, m := range messages {
				if d, err := bob.Decrypt(context.Background(), m.Sender, m.Message); err != nil || d.Duplicate {
					b.Fatalf("decrypt: %v, duplicate %v", err, d.Duplicate)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// crowdedPeer opens the sessions of one peer, in turn, loses messages in each, and
// returns n more.
func crowdedPeer(b *testing.B, bob *pawl.Machine, n int) []pawl.Incoming {
	b.Helper()
	ctx := context.Background()
	peer, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	states := make([]ratchet.Session, session.MaxPerPeer)
	say := func(i int) (m ratchet.Message) {
		if states[i], m, err = states[i].Encrypt(rand.Reader, []byte("a text of the length that a room key has, more or less")); err != nil {
			b.Fatal(err)
		}
		return m
	}
	hear := func(m ratchet.Message) {
		if _, err := bob.Decrypt(ctx, peer.Public(), m); err != nil {
			b.Fatal(err)
		}
	}
	for i := range states {
		if states[i], err = ratchet.NewOutbound(rand.Reader, peer, identity(b, bob), benchKey(b, bob)); err != nil {
			b.Fatal(err)
		}
		hear(say(i))
		answer, err := bob.Encrypt(ctx, peer.Public(), []byte("answer")) // from now on she sends normal messages
		if err != nil {
			b.Fatal(err)
		}
		parsed, err := ratchet.ParseNormalMessage(answer.Message.Body)
		if err != nil {
			b.Fatal(err)
		}
		if states[i], _, err = states[i].Decrypt(parsed); err != nil {
			b.Fatal(err)
		}
		for range skippedInEach {
			say(i)
		}
		hear(say(i))
	}
	messages := make([]pawl.Incoming, n)
	for i := range messages {
		messages[i] = pawl.Incoming{Sender: peer.Public(), Message: say(i % len(states))}
	}
	return messages
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
