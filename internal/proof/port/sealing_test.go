package port

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	root    = "../../.."
	sealing = root + "/vectors/sealing"
)

// outcomes of these vectors.
var outcomes = map[string][]error{
	"accepted": nil,
	"secret":   {seal.ErrPassphrase},
	"format":   {seal.ErrFormat},
	"newer":    {seal.ErrVersion},
	"damaged":  {seal.ErrDamaged},
}

func TestSealing(t *testing.T) {
	testfiles.RunIn(t, sealing, testfiles.Kinds{
		"pawl-keyring":      keyrings,
		"pawl-sealed-value": values,
		"pawl-blinded-name": names,
		"pawl-key-path":     paths,
		"pawl-receipt-id":   receipts,
	}, outcomes)
}

// ringVector is a keyring record, and what it is opened with.
type ringVector struct {
	Name       string
	Record     testfiles.Hex
	Passphrase testfiles.Hex
	Key        testfiles.Hex
	Expect     string
}

func (v ringVector) open() (seal.Keyring, error) {
	u := seal.Passphrase(v.Passphrase)
	if v.Key != nil {
		u = seal.RawKey([32]byte(v.Key))
	}
	return seal.Open(v.Record, u)
}

// keyrings opens each record; all that open are of one store and blind alike.
func keyrings(t *testing.T, f testfiles.Vectors) {
	blinded := map[string]bool{}
	for _, v := range testfiles.List[ringVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			ring, err := v.open()
			f.Want(t, v.Expect, err)
			if err == nil {
				blinded[ring.Store().String()+ring.Blind("name")] = true
			}
		})
	}
	if len(blinded) != 1 {
		t.Errorf("the records are of %d stores, want one", len(blinded))
	}
}

// firstRing is that of the other files.
func firstRing(t *testing.T) seal.Keyring {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(sealing, "keyring.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []ringVector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	ring, err := file.Vectors[0].open()
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func values(t *testing.T, f testfiles.Vectors) {
	ring := firstRing(t)
	for _, v := range testfiles.List[struct {
		Name, Path, Expect string
		Sealed, Plaintext  testfiles.Hex
	}](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			plaintext, err := ring.Open(nil, v.Path, v.Sealed)
			f.Want(t, v.Expect, err)
			if string(plaintext) != string(v.Plaintext) {
				t.Errorf("it holds %x, want %x", plaintext, v.Plaintext)
			}
		})
	}
}

func names(t *testing.T, f testfiles.Vectors) {
	ring := firstRing(t)
	for _, v := range testfiles.List[struct {
		Name, Blinded, Expect string
		Bytes                 testfiles.Hex
	}](t, f) {
		if got := ring.Blind(string(v.Bytes)); got != v.Blinded || v.Expect != "accepted" {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Blinded)
		}
	}
}

func paths(t *testing.T, f testfiles.Vectors) {
	ring := firstRing(t)
	for _, v := range testfiles.List[struct {
		Name, User, Device, Kind, Path, Expect string
		Segments                               []string
	}](t, f) {
		db := txn.New(memkv.New(), txn.WithSealer(ring))
		if v.User != "" {
			s := &machine.Store{DB: db}
			db = s.Account(machine.AccountName{User: matrix.UserID(v.User), Device: matrix.DeviceID(v.Device)}).DB
		}
		r := txn.Record[string, string]{Kind: v.Kind, Shared: v.User == "", Path: func(string) txn.Path { return txn.PathOf(v.Segments...) }}
		got, err := txn.Do(t.Context(), db, func(tx *txn.Tx) (string, error) { return r.Key(tx, "") })
		f.Want(t, v.Expect, err)
		if got != v.Path {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Path)
		}
	}
}

func receipts(t *testing.T, f testfiles.Vectors) {
	prekeys := 0
	for _, v := range testfiles.List[struct {
		Name, Expect string
		Sender       testfiles.Hex
		Type         int
		Body         testfiles.Base64
		Version1     testfiles.Hex `json:"version_1"`
		Version2     testfiles.Hex `json:"version_2"`
	}](t, f) {
		m := ratchet.Message{Type: ratchet.MessageType(v.Type), Body: v.Body}
		normal, err := ratchet.ParseNormalMessage(v.Body)
		if m.Type == ratchet.PreKey {
			var prekey ratchet.PreKeyMessage
			prekey, err = ratchet.ParsePreKeyMessage(v.Body)
			normal = prekey.Normal
			prekeys++
		}
		f.Want(t, v.Expect, err)
		sender := ratchet.PublicKey(v.Sender)
		if got := session.ReceiptOf(sender, normal); got != session.ReceiptID(v.Version2) {
			t.Errorf("%s, version 2: %v, want %x", v.Name, got, v.Version2)
		}
		if got := session.ReceiptOf1(sender, m); got != session.ReceiptID(v.Version1) {
			t.Errorf("%s, version 1: %v, want %x", v.Name, got, v.Version1)
		}
	}
	if prekeys == 0 {
		t.Error("no pre-key message among them")
	}
}
