package device

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Name is what a device is called: its user, and its id among the user's.
type Name struct {
	User   matrix.UserID
	Device matrix.DeviceID
}

// Keys are a device as its own signature shows it.
type Keys struct {
	Name
	Curve25519 ratchet.PublicKey // Olm messages are from and to this key
	Ed25519    account.VerifyKey // never changes for a device
	Olm        bool              // it reads m.olm.v1.curve25519-aes-sha2
	Megolm     bool              // it reads m.megolm.v1.aes-sha2
	// DisplayName is what the server says the user calls it. Nobody signed it.
	DisplayName string
}

// ParseKeys verifies a device_keys object, of /keys/query or of
// sender_device_keys: it is of the device, has both keys, and is signed by the
// device itself. Errors: [ErrForm], [ErrNames], [ErrUnsigned].
func ParseKeys(of Name, raw []byte) (Keys, error) {
	o, err := parseObject(raw)
	if err != nil {
		return Keys{}, err
	}
	return parseKeys(of, o)
}

func parseKeys(of Name, o object) (Keys, error) {
	k := Keys{Name: of}
	if err := of.Device.Check(); err != nil {
		return Keys{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if err := o.of(of.User); err != nil {
		return Keys{}, err
	}
	id, err := o.text("device_id")
	if err != nil {
		return Keys{}, err
	}
	if id != string(of.Device) {
		return Keys{}, fmt.Errorf("%w: it is device %q", ErrNames, id)
	}
	keys, err := o.keys()
	if err != nil {
		return Keys{}, err
	}
	if k.Curve25519, err = ratchet.ParsePublicKey(keys["curve25519:"+id]); err != nil || k.Curve25519 == (ratchet.PublicKey{}) {
		return Keys{}, fmt.Errorf("%w: no Curve25519 key", ErrForm)
	}
	if k.Ed25519, err = account.ParseVerifyKey(keys["ed25519:"+id]); err != nil {
		return Keys{}, fmt.Errorf("%w: no Ed25519 key", ErrForm)
	}
	algorithms, err := o.texts("algorithms")
	if err != nil {
		return Keys{}, err
	}
	k.Olm, k.Megolm = slices.Contains(algorithms, account.Olm), slices.Contains(algorithms, account.Megolm)
	k.DisplayName = displayName(o.members["unsigned"])
	return k, o.signed(of.User, id, k.Ed25519)
}

// maxDisplayName is more than a server lets a user write, in bytes.
const maxDisplayName = 255

// displayName takes what can be shown of what nobody signed: of another shape, it
// is no name.
func displayName(unsigned json.RawMessage) string {
	var u map[string]json.RawMessage
	var name string
	if json.Unmarshal(unsigned, &u) != nil || json.Unmarshal(u["device_display_name"], &name) != nil {
		return ""
	}
	name = strings.ToValidUTF8(name, string(utf8.RuneError))
	for len(name) > maxDisplayName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}
