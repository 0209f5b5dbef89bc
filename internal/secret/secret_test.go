package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// session is how packages keep keys: in a Value, in a guarded struct.
type session struct {
	Guard
	state Value[state]
}

type state struct{ chain [32]byte }

// holder is what a user may write around ours: fmt calls no method in here.
type holder struct {
	key     Key
	session session
	list    []Key
}

func samples() (key Key, all []any) {
	var raw [32]byte
	for i := range raw {
		raw[i] = 0xA7
	}
	key = Hide(raw)
	s := session{state: Hide(state{raw})}
	h := holder{key, s, []Key{key}}
	return key, []any{key, s, h, &h, []holder{h}, map[string]holder{"a": h}, Hide(raw[:])}
}

func TestSecretsRedactUnderEveryVerb(t *testing.T) {
	_, values := samples()
	for _, verb := range "vsqxXdboOcUtTpeEfFgGw" {
		for _, flags := range []string{"", "+", "#", " ", "0", "-40", ".3"} {
			for _, v := range values {
				format := "%" + flags + string(verb)
				out := fmt.Sprintf(format, v)
				// The bytes 0xA7 in decimal, hexadecimal, binary, octal and as text.
				for _, leak := range []string{"167 167", "a7a7", "A7A7", "a7, 0xa7", "10100111 ", "247 247", "\xa7\xa7", "§"} {
					if strings.Contains(out, leak) {
						t.Errorf("%s of %T shows %q", format, v, leak)
					}
				}
			}
		}
	}
}

func TestSecretsRefuseJSON(t *testing.T) {
	key, _ := samples()
	for _, v := range []any{key, Hide([]byte("x")), session{}, struct{ K Key }{key}, []Key{key}} {
		if out, err := json.Marshal(v); !errors.Is(err, ErrMarshal) {
			t.Errorf("json.Marshal(%T) = %q, %v; want ErrMarshal", v, out, err)
		}
	}
}

func TestSecretsRedactInSlog(t *testing.T) {
	var out bytes.Buffer
	key, _ := samples()
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "k", key, "s", session{})
	if got := strings.Count(out.String(), Redacted); got != 2 {
		t.Errorf("slog printed %q, want two redactions", out.String())
	}
}

func TestExposedFindsNakedKeys(t *testing.T) {
	type public [32]byte
	type inner struct{ Chain [32]byte }
	type record struct {
		Good    Key
		Also    session
		Public  public
		Rows    []inner
		Naked   []byte
		Pointer *[32]byte
		hidden  Value[inner]
	}
	_ = record{}.hidden // found by reflection only
	got := Exposed(record{}, public{})
	want := []string{
		"secret.record.Rows[].Chain",
		"secret.record.Naked",
		"secret.record.Pointer[]",
		"secret.record.hidden (no Guard)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Exposed = %q, want %q", got, want)
	}
}

func TestZeroValue(t *testing.T) {
	var k Key
	if !k.IsZero() || k.Reveal() != [32]byte{} {
		t.Error("the zero Key holds something")
	}
	if Hide([32]byte{}).IsZero() {
		t.Error("32 hidden zero bytes are taken for nothing")
	}
}
