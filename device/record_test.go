package device_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

func samples() (device.Device, device.Known, device.Owner) {
	name := device.Name{User: alice, Device: "PHONE"}
	d := device.Device{Claim: device.Claim{Keys: device.Keys{
		Name: name, Curve25519: ratchet.PublicKey{1}, Ed25519: account.VerifyKey{2}, Olm: true, DisplayName: "phone",
	}, SignedBy: account.VerifyKey{3}}, Seen: now, Disputed: true}
	k := device.Known{Identity: device.Identity{User: bob, Master: account.VerifyKey{4}, UserSigning: account.VerifyKey{5}, SignedHere: true}, Pinned: account.VerifyKey{6}}
	o := device.Owner{Key: ratchet.PublicKey{7}, Claimers: []device.Name{name, {User: bob, Device: "B"}}, Open: true}
	return d, k, o
}

// TestRecords: what is written is read, and nothing else is.
func TestRecords(t *testing.T) {
	d, k, o := samples()
	encode := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		raw    []byte
		decode func([]byte) (any, error)
		want   any
	}{
		"device":   {encode(d.Encode()), func(b []byte) (any, error) { return device.DecodeDevice(b) }, d},
		"identity": {encode(k.Encode()), func(b []byte) (any, error) { return device.DecodeKnown(b) }, k},
		"owner":    {encode(o.Encode()), func(b []byte) (any, error) { return device.DecodeOwner(b) }, o},
	} {
		got, err := c.decode(c.raw)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		for n := range c.raw {
			if _, err := c.decode(c.raw[:n]); err == nil {
				t.Errorf("%s: the first %d bytes are one", name, n)
			}
		}
		if _, err := c.decode(append(bytes.Clone(c.raw), 0)); !errors.Is(err, device.ErrFormat) {
			t.Errorf("%s: a byte more: %v", name, err)
		}
		newer := bytes.Clone(c.raw)
		newer[0]++
		if _, err := c.decode(newer); !errors.Is(err, device.ErrVersion) {
			t.Errorf("%s: of a newer version: %v", name, err)
		}
	}
	if _, err := (device.Device{}).Encode(); !errors.Is(err, device.ErrFormat) {
		t.Errorf("no device: %v", err)
	}
	if _, err := (device.Known{Identity: device.Identity{User: alice}}).Encode(); !errors.Is(err, device.ErrFormat) {
		t.Errorf("no identity: %v", err)
	}
	if _, err := (device.Owner{Claimers: o.Claimers}).Encode(); !errors.Is(err, device.ErrFormat) {
		t.Errorf("two owners without a dispute: %v", err)
	}
}

// FuzzRecords: no bytes make a reader panic, and what is read is written again as it
// was.
func FuzzRecords(f *testing.F) {
	d, k, o := samples()
	for _, encode := range []func() ([]byte, error){d.Encode, k.Encode, o.Encode} {
		raw, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, again := range []func() ([]byte, error){
			func() ([]byte, error) { return reencode(device.DecodeDevice(raw)) },
			func() ([]byte, error) { return reencode(device.DecodeKnown(raw)) },
			func() ([]byte, error) { return reencode(device.DecodeOwner(raw)) },
		} {
			if got, err := again(); err == nil && !bytes.Equal(got, raw) {
				t.Errorf("%x is written as %x", raw, got)
			}
		}
	})
}

func reencode[T interface{ Encode() ([]byte, error) }](v T, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return v.Encode()
}

// FuzzParseAnswer: no answer makes it panic, and nothing in it is of somebody who
// was not asked for.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"device_keys":{"@alice:example.org":{"PHONE":{"user_id":"@alice:example.org","device_id":"PHONE","algorithms":[],"keys":{}}}}}`))
	f.Add([]byte(`{"master_keys":{"@alice:example.org":{"usage":["master"],"keys":{"ed25519:X":"X"}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := device.ParseAnswer(raw, []matrix.UserID{alice}, device.Own{})
		if err == nil && len(a.Users)+len(a.Silent) != 1 {
			t.Errorf("%q: %+v", raw, a)
		}
	})
}
