package group

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/message"
)

// step is the ratchet's one step as the specification has it: the parts from h on
// are made of R_h, where h is the first that the new index moves.
func (r state) step() state {
	next := r
	next.index++
	h := 0
	for mask := uint32(1<<24 - 1); h < 3 && next.index&mask != 0; mask >>= 8 {
		h++
	}
	for k := 3; k >= h; k-- {
		next.parts[k] = message.HMAC(r.parts[h][:], []byte{byte(k)})
	}
	return next
}

func drawRatchet(t *rapid.T) (r state) {
	for i := range r.parts {
		copy(r.parts[i][:], rapid.SliceOfN(rapid.Byte(), partSize, partSize).Draw(t, "part"))
	}
	return r
}

// Indices about which something moves.
func drawIndex(t *rapid.T, name string) uint32 {
	near := rapid.SampledFrom([]uint32{0, 1 << 8, 1 << 16, 1 << 24, 0xff << 24, 1 << 31, math.MaxUint32, 0x10203}).Draw(t, name+" near")
	return near + uint32(rapid.IntRange(-300, 300).Draw(t, name+" off"))
}

func TestAdvanceIsManySteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRatchet(t)
		r.index = drawIndex(t, "from")
		n := uint32(rapid.IntRange(0, 700).Draw(t, "steps"))
		n = min(n, maxIndex-r.index)
		want := r
		for range n {
			want = want.step()
		}
		if got := r.at(r.index + n); got != want {
			t.Fatalf("%d steps from %d differ from advancing at once", n, r.index)
		}
	})
}

// TestAdvanceIsTransitive: a way with stops ends where the way without does, from
// any index to any later one.
func TestAdvanceIsTransitive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRatchet(t)
		stops := []uint32{drawIndex(t, "a"), drawIndex(t, "b"), drawIndex(t, "c")}
		low, high := min(stops[0], stops[1], stops[2]), max(stops[0], stops[1], stops[2])
		middle := stops[0] ^ stops[1] ^ stops[2] ^ low ^ high
		r.index = low
		once, twice := r.at(high), r.at(middle)
		if twice.advance(high); once != twice {
			t.Fatalf("%d, %d, %d: not what %d, %d gives", low, middle, high, low, high)
		}
	})
}

// TestIndicesDoNotWrap: no way leads from the last index to the first.
func TestIndicesDoNotWrap(t *testing.T) {
	s := mustSender(t, 1)
	st := *s.state.Peek()
	st.ratchet.advance(maxIndex - 1)
	s = restored(st)
	s, body, err := s.Encrypt([]byte("last"))
	if err != nil {
		t.Fatal(err)
	}
	if m := mustParse(t, body); m.Index != maxIndex-1 || s.Index() != maxIndex {
		t.Errorf("message %d, sender at %d", m.Index, s.Index())
	}
	if next, body, err := s.Encrypt([]byte("beyond")); err != ErrExhausted || body != nil || !next.IsZero() {
		t.Errorf("encrypting at the last index: %v, want ErrExhausted", err)
	}
	if k, err := s.Key().Advance(0); err == nil || !k.IsZero() {
		t.Errorf("from the last index to the first: %v, want ErrTooEarly", err)
	}
}

// TestBegin: a message that is made later is the one that Encrypt returns, however
// often it is made.
func TestBegin(t *testing.T) {
	s := mustSender(t, 90)
	want, body, err := s.Encrypt([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	next, message, err := s.Begin([]byte("text"))
	if err != nil || next.Index() != 1 || *next.state.Peek() != *want.state.Peek() {
		t.Fatalf("the sender after it is at %d, %v", next.Index(), err)
	}
	for range 2 {
		if got := message(); !bytes.Equal(got, body) {
			t.Errorf("message %x, want %x", got, body)
		}
	}
}
