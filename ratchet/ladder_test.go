package ratchet

import (
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/cloudflare/circl/dh/x25519"
)

func key32(t testing.TB, text string) (k [32]byte) {
	t.Helper()
	if n, err := hex.Decode(k[:], []byte(text)); err != nil || n != 32 {
		t.Fatalf("%s: %d bytes, %v", text, n, err)
	}
	return k
}

// TestLadderVectors: those of RFC 7748, section 5.2.
func TestLadderVectors(t *testing.T) {
	for _, v := range [][3]string{
		{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
		{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d", "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493", "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	} {
		private, peer, want := key32(t, v[0]), key32(t, v[1]), key32(t, v[2])
		var got [32]byte
		if ladder(&got, &private, &peer); got != want {
			t.Errorf("%s times %s is %x, want %s", v[0], v[1], got, v[2])
		}
	}
	// The same with what was computed in place of the key and the point, a thousand times.
	k := key32(t, "0900000000000000000000000000000000000000000000000000000000000000")
	u := k
	for range 1000 {
		before := k
		ladder(&k, &k, &u)
		u = before
	}
	if want := key32(t, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"); k != want {
		t.Errorf("after a thousand it is %x", k)
	}
}

// TestLadderIsCirclsToo: for keys by chance, for points of low order and for those that are
// written in another way than the shortest.
func TestLadderIsCirclsToo(t *testing.T) {
	odd := []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	}
	for i := range 200 {
		var private, peer, got, want [32]byte
		rand.Read(private[:])
		if rand.Read(peer[:]); i < len(odd) {
			peer = key32(t, odd[i])
		}
		ladder(&got, &private, &peer)
		x25519.Shared((*x25519.Key)(&want), (*x25519.Key)(&private), (*x25519.Key)(&peer))
		if got != want {
			t.Errorf("%x times %x is %x, circl's is %x", private, peer, got, want)
		}
	}
}

// BenchmarkLadder is beside circl's: on WebAssembly the one, elsewhere the other is used.
func BenchmarkLadder(b *testing.B) {
	var private, peer, out [32]byte
	rand.Read(private[:])
	rand.Read(peer[:])
	b.Run("ladder", func(b *testing.B) {
		for b.Loop() {
			ladder(&out, &private, &peer)
		}
	})
	b.Run("circl", func(b *testing.B) {
		for b.Loop() {
			x25519.Shared((*x25519.Key)(&out), (*x25519.Key)(&private), (*x25519.Key)(&peer))
		}
	})
}
