package recordtest

import "testing"

// naked is what no package may have.
type naked struct{ key []byte }

func TestRedactsCanFail(t *testing.T) {
	secret := []byte{0xa7, 0x11, 0x9c, 0x42, 0x55}
	inner := &testing.T{}
	Redacts(inner, secret, naked{secret})
	if !inner.Failed() {
		t.Error("a naked key was not noticed")
	}
}
