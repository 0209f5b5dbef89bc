package interop_test

import (
	"bytes"
	cryptorand "crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"maunium.net/go/mautrix/crypto/olm"
)

// wireFile is what this test needs of wire.json.
type wireFile struct {
	Setups  map[string]wireSetup `json:"setups"`
	Vectors []struct {
		Name, Setup, Body, Expect, Libolm string
		Type                              int
	} `json:"vectors"`
}

type wireSetup struct {
	Bob struct {
		Identity wireKey `json:"identity"`
		OneTime  wireKey `json:"one_time"`
	} `json:"bob"`
	Steps []struct {
		Do, By, Random, Plaintext, Body string
		Type                            int
	} `json:"steps"`
}

type wireKey struct{ Private, Public string }

// goolmDiffers are the vectors that goolm accepts and Pawl refuses, and why.
var goolmDiffers = map[string]string{
	"normal: field number 0":                 "protobuf has no field 0",
	"pre-key: field number 0 at the end":     "protobuf has no field 0",
	"normal: tag in two bytes":               "a second spelling of a field, which libolm takes for an unknown one",
	"normal: unknown tag longer than needed": "a second spelling",
}

// TestWireVectors shows the odd messages to goolm, whose differences from Pawl
// are listed above, and to libolm, which must say what the file says it said.
func TestWireVectors(t *testing.T) {
	f := readWire(t)
	for _, impl := range interop.Others() {
		t.Run(impl.Name(), func(t *testing.T) {
			differ := map[string]bool{}
			for _, v := range f.Vectors {
				err := f.Setups[v.Setup].show(t, impl, message(t, v.Type, v.Body))
				switch {
				case impl.Name() == "libolm":
					if !errors.Is(err, libolmErrors[v.Libolm]) {
						t.Errorf("%s: libolm says %v, the file says %s", v.Name, err, v.Libolm)
					}
				case v.Expect == "accepted" && err != nil:
					t.Errorf("%s: %s refuses what Pawl accepts: %v", v.Name, impl.Name(), err)
				case v.Expect != "accepted" && err == nil:
					differ[v.Name] = true
				}
			}
			if want := goolmDiffers; impl.Name() == "goolm" && !sameKeys(differ, want) {
				t.Errorf("goolm accepts and Pawl refuses\n%q\nexpected\n%q", keys(differ), keys(want))
			}
		})
	}
}

// libolmErrors are libolm's errors by its own names.
var libolmErrors = map[string]error{
	"accepted":            nil,
	"BAD_MESSAGE_VERSION": olm.ErrWrongProtocolVersion,
	"BAD_MESSAGE_FORMAT":  olm.ErrBadMessageFormat,
	"BAD_MESSAGE_MAC":     olm.ErrBadMAC,
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sameKeys[A, B any](a map[string]A, b map[string]B) bool { return slices.Equal(keys(a), keys(b)) }

func readWire(t *testing.T) (f wireFile) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "ratchet", "testdata", "vectors", "wire.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return f
}

// show brings an implementation's Bob into the state of the setup and gives
// him a message.
func (s wireSetup) show(t *testing.T, impl interop.Implementation, m interop.Message) error {
	t.Helper()
	account := s.account(t, impl)
	var session interop.Session
	var err error
	for _, step := range s.Steps {
		switch {
		case step.By != "bob":
		case step.Do == "open":
			session, err = account.InboundAny(message(t, step.Type, step.Body))
		case step.Do == "decrypt":
			_, err = session.Decrypt(message(t, step.Type, step.Body))
		case step.Do == "encrypt":
			err = encryptWith(session, unhex(t, step.Random), unhex(t, step.Plaintext))
		}
		if err != nil {
			t.Fatalf("%s: step %s: %v", impl.Name(), step.Do, err)
		}
	}
	if session == nil {
		if session, err = account.InboundAny(m); err != nil {
			return err
		}
	}
	_, err = session.Decrypt(m)
	return err
}

func (s wireSetup) account(t *testing.T, impl interop.Implementation) interop.Account {
	t.Helper()
	account, err := impl.RestoreAccount(pickle.Account{
		IdentityPublic: s.Bob.Identity.public(t), IdentityPrivate: s.Bob.Identity.private(t),
		OneTimeKeys: []pickle.OneTimeKey{{ID: 1, Public: s.Bob.OneTime.public(t), Private: s.Bob.OneTime.private(t)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func (k wireKey) public(t *testing.T) [32]byte  { return [32]byte(unhex(t, k.Public)) }
func (k wireKey) private(t *testing.T) [32]byte { return [32]byte(unhex(t, k.Private)) }

// encryptWith encrypts with given randomness, and zeros where more is read.
func encryptWith(s interop.Session, random, plaintext []byte) error {
	before := cryptorand.Reader
	defer func() { cryptorand.Reader = before }()
	cryptorand.Reader = io.MultiReader(bytes.NewReader(random), bytes.NewReader(make([]byte, 64)))
	_, err := s.Encrypt(plaintext)
	return err
}

func message(t *testing.T, typ int, body string) interop.Message {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	return interop.Message{Type: typ, Body: b}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
