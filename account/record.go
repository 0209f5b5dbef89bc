package account

import (
	"fmt"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

const (
	accountVersion1 = 1
	accountFields1  = 12
	accountVersion2 = 2
	accountFields2  = 15
	accountSize     = 288 // bytes of an encoded account beside its names

	maxTarget = 255  // bytes of a store's name
	maxPath   = 4096 // bytes of a path, as on Linux
)

// Encode returns the record: in version 2 if the account is raised, else in
// version 1. It fails with [ErrFormat] for the zero Account and when the retired
// mark's texts are too long.
func (a Account) Encode() ([]byte, error) {
	if a.identity.IsZero() || len(a.retired.Target) > maxTarget || len(a.retired.Path) > maxPath {
		return nil, fmt.Errorf("account: %w: empty, or a retired mark that is too long", ErrFormat)
	}
	size := accountSize + len(a.user) + len(a.device) + len(a.retired.Target) + len(a.retired.Path)
	if !a.raised {
		return record.Encode(accountVersion1, accountFields1, size, a.write), nil
	}
	return record.Encode(accountVersion2, accountFields2, size, func(w *record.Writer) {
		a.write(w)
		w.Uint(a.lineage.Base)
		w.Bool(a.lineage.OldReceipts)
		w.Uint(uint64(a.lineage.KeysFrom))
	}), nil
}

func (a Account) write(w *record.Writer) {
	identity, public := a.identity.Private(), a.identity.Public()
	expanded := a.signing.Expanded()
	w.Text(string(a.user))
	w.Text(string(a.device))
	w.Bytes(public[:])
	w.Bytes(identity[:])
	w.Bytes(a.signing.public[:])
	w.Bytes(expanded[:])
	w.Time(a.created)
	w.Time(a.retired.At)
	w.Text(a.retired.Target)
	w.Text(a.retired.Path)
	w.Time(a.recovery.Since)
	w.Uint(uint64(a.recovery.Cause))
}

// Decode reads a record written by [Account.Encode]. It fails with [ErrFormat]
// or [ErrVersion]. That private and public keys belong together is not
// computed here; see [Account.Check].
func Decode(b []byte) (Account, error) {
	var a Account
	err := record.DecodeOneOf("account", b,
		record.Layout{Version: accountVersion1, Count: accountFields1, Fields: a.read},
		record.Layout{Version: accountVersion2, Count: accountFields2, Fields: func(r *record.Reader) {
			a.read(r)
			a.raised = true
			a.lineage.read(r)
		}})
	if err != nil {
		return Account{}, err
	}
	return a, nil
}

func (a *Account) read(r *record.Reader) {
	var curve ratchet.PublicKey
	var private ratchet.PrivateKey
	var expanded ExpandedKey
	a.user, a.device = matrix.UserID(r.Text(matrix.MaxLength)), matrix.DeviceID(r.Text(matrix.MaxLength))
	r.Fixed(curve[:])
	r.Fixed(private[:])
	r.Fixed(a.signing.public[:])
	r.Fixed(expanded[:])
	a.created, a.retired.At = r.Time(), r.Time()
	a.retired.Target, a.retired.Path = r.Text(maxTarget), r.Text(maxPath)
	a.readRecovery(r)
	if r.OK() {
		r.FailWith(a.user.Check())
		r.FailWith(a.device.Check())
	}
	a.identity = ratchet.RestoreKeyPair(curve, private)
	a.signing = RestoreSigningKey(a.signing.public, expanded)
}
