package interop_test

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

var (
	megolmSteps = flag.Int("interop.megolm", 2000, "random steps of TestMegolm")
	megolmSeed  = flag.Uint64("interop.megolm.seed", 0, "replay TestMegolm from this seed (0: random)")
)

// TestMegolm lets chance send, skip, share, export, deliver, repeat and change
// messages, and asks all implementations the same at each step. Whatever one of
// them writes the others must write too, byte for byte: Megolm draws nothing. So
// each message and each key is read by all, whoever made it.
func TestMegolm(t *testing.T) {
	seed := *megolmSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed: -interop.megolm.seed=%d", seed)
	m := &megolm{T: t, rand: rand.New(rand.NewPCG(seed, 0)), all: interop.AllMegolm(), reached: map[string]int{}}
	for range *megolmSteps {
		m.step()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d implementations came to %v", len(m.all), m.reached)
	for _, what := range []string{
		"accepted", "too-early", "signature", "malformed", "repeated", "skipped", "shared", "exported", "key changed",
	} {
		if m.reached[what] == 0 {
			t.Errorf("no step came to %q", what)
		}
	}
}

// megolm is one session in all implementations, and what was sent in it.
type megolm struct {
	*testing.T
	rand    *rand.Rand
	all     []interop.Megolm
	reached map[string]int
	left    int // steps until another session

	state   pickle.OutboundGroup // its ratchet is that of when the senders were made
	index   uint32
	senders []interop.GroupSender
	sent    []groupMessage
	keys    []groupKey
}

type groupMessage struct {
	body, text []byte
	index      uint32
	seen       bool
}

// groupKey is one key in all implementations.
type groupKey struct {
	first   uint32
	readers []interop.GroupReader
}

func (m *megolm) step() {
	if m.left--; m.left < 0 {
		m.begin()
	}
	switch n := m.rand.IntN(100); {
	case n < 25:
		m.send()
	case n < 30:
		m.skip()
	case n < 34:
		m.share()
	case n < 40:
		m.export()
	case n < 85:
		m.deliver()
	case n < 97:
		m.tamper()
	default:
		m.tamperKey()
	}
}

// begin makes a session whose indices are about to pass what moves the parts of
// the ratchet.
func (m *megolm) begin() {
	m.left = 100
	var seed account.Seed
	m.fill(seed[:])
	key := account.SeedSigningKey(seed)
	m.state = pickle.OutboundGroup{Public: key.Public(), Private: key.Expanded()}
	m.state.Private[0] &= 248 // clamped, as libolm pickles it
	m.state.Private[31] = m.state.Private[31]&63 | 64
	m.fill(m.state.Ratchet[:])
	starts := []uint32{0, 250, 1<<16 - 5, 1<<24 - 3, 1<<31 - 4, 0xfffffe00, m.rand.Uint32N(1 << 30)}
	m.index = starts[m.rand.IntN(len(starts))]
	m.restore()
	m.sent, m.keys = nil, nil
	m.share()
	m.send()
}

// restore makes the senders of the state at the index.
func (m *megolm) restore() {
	m.state.Index = m.index
	m.senders = nil
	for _, impl := range m.all {
		s, err := impl.Sender(m.state)
		m.must(err)
		m.senders = append(m.senders, s)
	}
}

// same asks all implementations and expects one answer.
func (m *megolm) same(what string, ask func(i int) ([]byte, error)) []byte {
	m.Helper()
	var first []byte
	for i, impl := range m.all {
		b, err := ask(i)
		m.must(err)
		if i == 0 {
			first = b
		}
		if !bytes.Equal(b, first) {
			m.Fatalf("%s: %s writes\n%x, pawl\n%x", what, impl.Name(), b, first)
		}
	}
	return first
}

func (m *megolm) send() {
	text := make([]byte, 1+m.rand.IntN(200))
	m.fill(text)
	body := m.same("message", func(i int) ([]byte, error) { return m.senders[i].Encrypt(text) })
	m.sent = append(m.sent, groupMessage{body: body, text: text, index: m.index})
	m.index++
}

// skip moves the senders on without a message, by way of an exported key.
func (m *megolm) skip() {
	by := []uint32{1, 2, 255, 256, 257, 1 << 16, 1 << 24, m.rand.Uint32N(1 << 26)}[m.rand.IntN(8)]
	if m.index > 1<<32-1-by-1000 {
		return
	}
	k := m.keys[0]
	exported := m.same("exported key", func(i int) ([]byte, error) { return k.readers[i].Export(m.index + by) })
	m.index += by
	copy(m.state.Ratchet[:], exported[5:])
	m.restore()
	m.reached["skipped"]++
}

func (m *megolm) share() {
	shared := m.same("shared key", func(i int) ([]byte, error) { return m.senders[i].Share() })
	m.add(m.index, func(impl interop.Megolm) (interop.GroupReader, error) { return impl.FromShared(shared) })
	m.reached["shared"]++
}

// export takes a key from a later index on out of one.
func (m *megolm) export() {
	k := m.keys[m.rand.IntN(len(m.keys))]
	index := k.first
	if m.index > index {
		index += m.rand.Uint32N(m.index - index + 1)
	}
	exported := m.same("exported key", func(i int) ([]byte, error) { return k.readers[i].Export(index) })
	m.add(index, func(impl interop.Megolm) (interop.GroupReader, error) { return impl.FromExported(exported) })
	m.reached["exported"]++
}

func (m *megolm) add(first uint32, read func(interop.Megolm) (interop.GroupReader, error)) {
	k := groupKey{first: first}
	for _, impl := range m.all {
		r, err := read(impl)
		m.must(err)
		k.readers = append(k.readers, r)
	}
	m.keys = append(m.keys, k)
}

// deliver gives any message to any key: late, in another order, or once more.
func (m *megolm) deliver() {
	at := m.rand.IntN(len(m.sent))
	sent, k := &m.sent[at], m.keys[m.rand.IntN(len(m.keys))]
	want := interop.Accepted
	if sent.index < k.first {
		want = interop.TooEarly
	}
	for i, impl := range m.all {
		text, index, err := k.readers[i].Decrypt(sent.body)
		if !errors.Is(err, impl.MegolmError(want)) {
			m.Fatalf("%s: message %d with the key from %d: %v, want %v", impl.Name(), sent.index, k.first, err, want)
		}
		if err == nil && (!bytes.Equal(text, sent.text) || index != sent.index) {
			m.Fatalf("%s: message %d came as %d: %x, want %x", impl.Name(), sent.index, index, text, sent.text)
		}
	}
	m.reached[want.String()]++
	if sent.seen {
		m.reached["repeated"]++
	}
	sent.seen = true
}

// tamper changes a bit, or cuts a message off. All must refuse it, and as far as
// they read it at all, for its signature.
func (m *megolm) tamper() {
	sent, k := m.sent[m.rand.IntN(len(m.sent))], m.keys[m.rand.IntN(len(m.keys))]
	body := bytes.Clone(sent.body)
	if m.rand.IntN(8) == 0 {
		body = body[:m.rand.IntN(len(body))]
	} else {
		body[m.rand.IntN(len(body))] ^= 1 << m.rand.IntN(8)
	}
	if len(body) == 0 {
		return
	}
	_, _, err := k.readers[0].Decrypt(body)
	verdict := m.verdict(err)
	for i, impl := range m.all {
		_, _, err := k.readers[i].Decrypt(body)
		if err == nil || verdict == interop.BadSignature && !errors.Is(err, impl.MegolmError(verdict)) {
			m.Fatalf("%s: %x: %v, want %v", impl.Name(), body, err, verdict)
		}
	}
	m.reached[verdict.String()]++
}

// tamperKey changes a bit of a shared key, which nobody may take then.
func (m *megolm) tamperKey() {
	shared := m.same("shared key", func(i int) ([]byte, error) { return m.senders[i].Share() })
	shared[m.rand.IntN(len(shared))] ^= 1 << m.rand.IntN(8)
	for _, impl := range m.all {
		if _, err := impl.FromShared(shared); err == nil {
			m.Fatalf("%s takes the shared key %x, which was changed", impl.Name(), shared)
		}
	}
	m.reached["key changed"]++
}

func (m *megolm) verdict(err error) interop.Verdict {
	for _, v := range []interop.Verdict{interop.Malformed, interop.WrongVersion, interop.BadSignature} {
		if errors.Is(err, interop.Pawl{}.MegolmError(v)) {
			return v
		}
	}
	m.Fatalf("a changed message: %v", err)
	return 0
}

func (m *megolm) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *megolm) fill(b []byte) {
	for i := range b {
		b[i] = byte(m.rand.Uint32())
	}
}
