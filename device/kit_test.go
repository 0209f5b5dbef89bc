package device_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/matrix"
)

const alice, bob = matrix.UserID("@alice:example.org"), matrix.UserID("@bob:example.org")

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// world makes keys of a seed.
type world struct {
	t      *testing.T
	random *rand.ChaCha8
}

func newWorld(t *testing.T) *world { return &world{t, rand.NewChaCha8([32]byte{7})} }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) account(user matrix.UserID, id matrix.DeviceID) account.Account {
	w.t.Helper()
	a, err := account.New(w.random, user, id, now)
	w.must(err)
	return a
}

func (w *world) key() account.SigningKey {
	w.t.Helper()
	k, err := account.GenerateSigningKey(w.random)
	w.must(err)
	return k
}

type object = map[string]any

// parsed is JSON as an object.
func (w *world) parsed(raw []byte) object {
	w.t.Helper()
	var o object
	w.must(json.Unmarshal(raw, &o))
	return o
}

func (w *world) text(o any) []byte {
	w.t.Helper()
	raw, err := json.Marshal(o)
	w.must(err)
	return raw
}

// sign adds a signature to an object, which is then as the key's owner wrote it.
func (w *world) sign(o object, user matrix.UserID, name string, key account.SigningKey) object {
	w.t.Helper()
	signatures, _ := o["signatures"].(object)
	unsigned := o["unsigned"]
	delete(o, "signatures")
	delete(o, "unsigned")
	canonical, err := canonicaljson.Canonicalize(w.text(o))
	w.must(err)
	if signatures == nil {
		signatures = object{}
	}
	of, _ := signatures[string(user)].(object)
	if of == nil {
		of = object{}
	}
	of["ed25519:"+name] = key.Sign(canonical).String()
	signatures[string(user)] = of
	o["signatures"] = signatures
	if unsigned != nil {
		o["unsigned"] = unsigned
	}
	return o
}

// signedBy adds a cross-signing key's signature.
func (w *world) signedBy(o object, user matrix.UserID, key account.SigningKey) object {
	w.t.Helper()
	return w.sign(o, user, key.Public().String(), key)
}

// keysOf are a device's keys, signed by itself.
func (w *world) keysOf(a account.Account) object {
	w.t.Helper()
	raw, err := a.DeviceKeys()
	w.must(err)
	return w.parsed(raw)
}

// identity is a user's cross-signing keys.
type identity struct {
	user                      matrix.UserID
	master, self, userSigning account.SigningKey
}

func (w *world) identity(user matrix.UserID) identity {
	return identity{user, w.key(), w.key(), w.key()}
}

func keyObject(user matrix.UserID, usage string, k account.SigningKey) object {
	public := k.Public().String()
	return object{"user_id": string(user), "usage": []any{usage}, "keys": object{"ed25519:" + public: public}}
}

func (i identity) masterKey() object { return keyObject(i.user, "master", i.master) }

func (w *world) selfKey(i identity) object {
	return w.signedBy(keyObject(i.user, "self_signing", i.self), i.user, i.master)
}

func (w *world) userKey(i identity) object {
	return w.signedBy(keyObject(i.user, "user_signing", i.userSigning), i.user, i.master)
}

// answer is one of /keys/query.
type answer struct {
	Devices map[matrix.UserID]map[matrix.DeviceID]object `json:"device_keys"`
	Masters map[matrix.UserID]object                     `json:"master_keys"`
	Selfs   map[matrix.UserID]object                     `json:"self_signing_keys"`
	Users   map[matrix.UserID]object                     `json:"user_signing_keys"`
}

func newAnswer() answer {
	return answer{map[matrix.UserID]map[matrix.DeviceID]object{}, map[matrix.UserID]object{}, map[matrix.UserID]object{}, map[matrix.UserID]object{}}
}

func (a answer) device(user matrix.UserID, id matrix.DeviceID, keys object) answer {
	if a.Devices[user] == nil {
		a.Devices[user] = map[matrix.DeviceID]object{}
	}
	if id != "" {
		a.Devices[user][id] = keys
	}
	return a
}

func (w *world) answerOf(a answer, own device.Own, asked ...matrix.UserID) device.Answers {
	w.t.Helper()
	got, err := device.ParseAnswer(w.text(a), asked, own)
	w.must(err)
	return got
}
