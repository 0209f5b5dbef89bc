package pawl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// BenchmarkDecrypt is the cost of one stored decrypt in one session: read,
// open, ratchet, seal, commit. On Badger every commit is durable.
func BenchmarkDecrypt(b *testing.B) {
	engines := map[string]func(b *testing.B) kv.Store{
		"mem": func(*testing.B) kv.Store { return memkv.New() },
		"badger": func(b *testing.B) kv.Store {
			s, err := badgerkv.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			return s
		},
	}
	policies := map[string]txn.CachePolicy{"none": txn.NoCache, "validated": txn.Validated}
	for _, engine := range []string{"mem", "badger"} {
		for _, policy := range []string{"none", "validated"} {
			for _, batch := range []int{1, 100} {
				b.Run(fmt.Sprintf("%s/cache=%s/batch=%d", engine, policy, batch), func(b *testing.B) {
					store := engines[engine](b)
					defer store.Close()
					benchmarkDecrypt(b, store, policies[policy], batch)
				})
			}
		}
	}
}

func benchmarkDecrypt(b *testing.B, engine kv.Store, policy txn.CachePolicy, batch int) {
	ctx := context.Background()
	bob := newMachine(b, engine, "@bob:example.org", pawl.WithCache(policy))
	alice := newMachine(b, memkv.New(), "@alice:example.org")
	messages := make([]pawl.Incoming, b.N)
	for i, body := range conversation(b, alice, bob, b.N) {
		messages[i] = pawl.Incoming{Sender: identity(b, alice), Message: body}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for len(messages) > 0 {
		n := min(batch, len(messages))
		results, err := bob.DecryptBatch(ctx, messages[:n])
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil || r.Duplicate {
				b.Fatalf("decrypt: %v, duplicate %v", r.Err, r.Duplicate)
			}
		}
		messages = messages[n:]
	}
}

func newMachine(b *testing.B, engine kv.Store, user matrix.UserID, opts ...pawl.Option) *pawl.Machine {
	b.Helper()
	store, err := pawl.Open(context.Background(), engine, append(opts, pawl.WithKey([32]byte{1}))...)
	if err != nil {
		b.Fatal(err)
	}
	m, err := store.Create(context.Background(), user, "DEVICE")
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func identity(b *testing.B, m *pawl.Machine) ratchet.PublicKey {
	b.Helper()
	id, err := m.Identity(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return id.Curve25519
}

// conversation returns n messages from one machine to another, in a session
// that both sides know: their type is 1 and they stay in one chain.
func conversation(b *testing.B, from, to *pawl.Machine, n int) []ratchet.Message {
	b.Helper()
	ctx := context.Background()
	key := benchKey(b, to)
	plaintext := make([]byte, 1024)
	send := func(a, z *pawl.Machine, opts ...pawl.EncryptOption) ratchet.Message {
		e, err := a.Encrypt(ctx, identity(b, z), plaintext, opts...)
		if err != nil {
			b.Fatal(err)
		}
		return e.Message
	}
	deliver := func(m ratchet.Message, a, z *pawl.Machine) {
		if _, err := z.Decrypt(ctx, identity(b, a), m); err != nil {
			b.Fatal(err)
		}
	}
	deliver(send(from, to, pawl.WithOneTimeKey(key)), from, to)
	deliver(send(to, from), to, from)
	messages := make([]ratchet.Message, n)
	for i := range messages {
		messages[i] = send(from, to)
	}
	return messages
}

// benchKey returns a new one-time key that was offered.
func benchKey(b *testing.B, of *pawl.Machine) ratchet.PublicKey {
	b.Helper()
	upload, err := of.KeysForUpload(context.Background(), 1)
	if err != nil {
		b.Fatal(err)
	}
	var body struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil {
		b.Fatal(err)
	}
	key, err := ratchet.ParsePublicKey(body.Keys["signed_curve25519:"+upload.OneTimeKeys[0].String()].Key)
	if err != nil {
		b.Fatal(err)
	}
	return key
}
