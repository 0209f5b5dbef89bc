package roomkeyfile

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
)

// keyCase is a room key in a file that differs from one that this package writes.
type keyCase struct {
	change map[string]any
	want   any // an error, or the key
}

func keyCases(t testing.TB, k group.RoomKey) map[string]keyCase {
	exported, err := k.Key.Export(nil)
	must(t, err)
	shared := append([]byte{2}, exported[1:]...)
	unknown := k
	unknown.Source.Claimed = account.VerifyKey{}
	private := k
	private.Source.SharedHistory = false
	return map[string]keyCase{
		"whole":                         {nil, k},
		"a chain":                       {map[string]any{"forwarding_curve25519_key_chain": []string{"x"}}, k},
		"no chain":                      {map[string]any{"forwarding_curve25519_key_chain": nil}, k},
		"something else":                {map[string]any{"chain_index": []int{7}}, k},
		"the old name":                  {map[string]any{"shared_history": nil}, k},
		"the new name":                  {map[string]any{"org.matrix.msc3061.shared_history": nil}, k},
		"the name of matrix-sdk-crypto": {map[string]any{"shared_history": nil, "org.matrix.msc3061.shared_history": nil, "m.shared_history": true}, k},
		"history not shared":            {map[string]any{"shared_history": "true", "org.matrix.msc3061.shared_history": nil}, private},
		"no claimed keys":               {map[string]any{"sender_claimed_keys": nil}, unknown},
		"none of Ed25519":               {map[string]any{"sender_claimed_keys": map[string]any{"x": 1}}, unknown},
		"an empty Ed25519 key":          {map[string]any{"sender_claimed_keys": map[string]string{"ed25519": ""}}, unknown},
		"padding":                       {map[string]any{"session_key": unpadded.Encode(exported) + strings.Repeat("=", (4-len(unpadded.Encode(exported))%4)%4)}, k},
		"another algorithm":             {map[string]any{"algorithm": "m.megolm.v2.aes-sha2"}, group.ErrMalformed},
		"no algorithm":                  {map[string]any{"algorithm": nil}, group.ErrMalformed},
		"another case":                  {map[string]any{"room_id": nil, "Room_ID": room}, group.ErrMalformed},
		"no room":                       {map[string]any{"room_id": nil}, group.ErrMalformed},
		"a room that is none":           {map[string]any{"room_id": "#room"}, matrix.ErrRoomID},
		"a number for a room":           {map[string]any{"room_id": 1}, group.ErrMalformed},
		"no session":                    {map[string]any{"session_id": nil}, group.ErrMalformed},
		"another session":               {map[string]any{"session_id": newKey(t, 4).Key.ID().String()}, group.ErrMalformed},
		"no key":                        {map[string]any{"session_key": nil}, group.ErrMalformed},
		"a key that is not base64":      {map[string]any{"session_key": "-"}, group.ErrMalformed},
		"a short key":                   {map[string]any{"session_key": unpadded.Encode(exported[:164])}, group.ErrMalformed},
		"a long key":                    {map[string]any{"session_key": unpadded.Encode(append(exported, 0))}, group.ErrMalformed},
		"a key in another format":       {map[string]any{"session_key": unpadded.Encode(shared)}, group.ErrVersion},
		"no sender":                     {map[string]any{"sender_key": nil}, group.ErrMalformed},
		"a sender that is none":         {map[string]any{"sender_key": "@alice:example.org"}, group.ErrMalformed},
		"claimed keys that are none":    {map[string]any{"sender_claimed_keys": "x"}, group.ErrMalformed},
		"an Ed25519 key of 3 bytes":     {map[string]any{"sender_claimed_keys": map[string]string{"ed25519": "AAAA"}}, group.ErrMalformed},
		"an Ed25519 key off the curve":  {map[string]any{"sender_claimed_keys": map[string]string{"ed25519": offCurve.String()}}, group.ErrMalformed},
		"a session off the curve":       {map[string]any{"session_key": unpadded.Encode(withID(exported, offCurve)), "session_id": offCurve.String()}, group.ErrMalformed},
		"an Ed25519 key that is 7":      {map[string]any{"sender_claimed_keys": map[string]int{"ed25519": 7}}, group.ErrMalformed},
	}
}

// TestKeys: one that cannot be read is told and passed over, and what others leave out
// or add does no harm.
func TestKeys(t *testing.T) {
	k := newKey(t, 1)
	exported, err := k.Key.Export(nil)
	must(t, err)
	for name, c := range keyCases(t, k) {
		last := newKey(t, 2)
		keys, refused, err := read(file("[null, 7," + entry(t, k, c.change) + "," + entry(t, last, nil) + "]"))
		if err != nil || len(keys) == 0 || !same(keys[len(keys)-1], last) || len(keys)+len(refused) != 4 {
			t.Errorf("%s: %d keys, refused %v, %v", name, len(keys), refused, err)
			continue
		}
		if want, ok := c.want.(group.RoomKey); ok {
			if len(keys) != 2 || !same(keys[0], want) {
				t.Errorf("%s: %d keys, refused %v", name, len(keys), refused)
			}
		} else if len(keys) != 1 || !errors.Is(refused[2], c.want.(error)) {
			t.Errorf("%s: %d keys, refused %v, want %v", name, len(keys), refused, c.want)
		}
		for _, why := range refused {
			if text := why.Error(); strings.Contains(text, unpadded.Encode(exported[5:100])) {
				t.Errorf("%s: the error tells the key: %s", name, text)
			}
		}
	}
}

// offCurve are 32 bytes that are no Ed25519 key.
var offCurve = account.VerifyKey{2}

// withID is an exported key with the name of another session.
func withID(exported []byte, id account.VerifyKey) []byte {
	return append(slices.Clone(exported[:len(exported)-len(id)]), id[:]...)
}

// TestWhatIsLeftOut: a store may have been told any 32 bytes for Ed25519 keys; where they
// are none, nothing is written that others refuse a whole file for.
func TestWhatIsLeftOut(t *testing.T) {
	claimed, named, last := newKey(t, 1), newKey(t, 2), newKey(t, 4)
	claimed.Source.Claimed = offCurve
	b, err := named.Key.Export(nil)
	must(t, err)
	named.Key, err = group.ParseExportedKey(withID(b, offCurve))
	must(t, err)
	keys, refused, err := read(write(t, 10, claimed, named, last))
	claimed.Source.Claimed = account.VerifyKey{}
	if err != nil || len(refused) > 0 || len(keys) != 2 || !same(keys[0], claimed) || !same(keys[1], last) {
		t.Errorf("%d keys, refused %v, %v", len(keys), refused, err)
	}
}
