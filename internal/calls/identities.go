package calls

import (
	"bytes"
	"encoding/json"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
)

// Calls on a machine: others' devices and identities, and records of the program's own.
func init() {
	machineCall("devices", "Machine.Devices", "", func(g given, a *machine, p userParams) (pawl.UserInfo, error) {
		return a.machine.Devices(g.ctx, p.User)
	})
	machineCall("track_users", "Machine.TrackUsers", "", func(g given, a *machine, p usersParams) (nothing, error) {
		return nothing{}, a.machine.TrackUsers(g.ctx, p.Users...)
	})
	machineCall("accept_identity", "Machine.AcceptIdentity", "", func(g given, a *machine, p masterParams) (nothing, error) {
		return nothing{}, a.machine.AcceptIdentity(g.ctx, p.User, p.Master)
	})
	machineCall("verify_identity", "Machine.VerifyIdentity", "", func(g given, a *machine, p masterParams) (nothing, error) {
		return nothing{}, a.machine.VerifyIdentity(g.ctx, p.User, p.Master)
	})
	machineCall("take_signature", "Machine.TakeSignature", "", func(g given, a *machine, p signatureParams) (takenResult, error) {
		taken, err := a.machine.TakeSignature(g.ctx, p.User, p.Master, p.By, p.Signature)
		return takenResult{taken}, err
	})
	machineCall("sign", "Machine.Sign", "the object, JSON", func(g given, a *machine, _ nothing) (objectResult, error) {
		signed, err := a.machine.Sign(g.ctx, g.body)
		return objectResult{signed}, err
	})

	machineCall("extra", "Machine.Extra", "", func(g given, a *machine, p extraParams) (extraResult, error) {
		value, err := a.machine.Extra(g.ctx, p.Space, p.Name)
		return valueOf(value), err
	})
	machineCall("extras", "Machine.Extras", "", func(g given, a *machine, p spaceParams) (extrasResult, error) {
		all, err := a.machine.Extras(g.ctx, p.Space)
		return extrasResult{all}, err
	})
	machineCall("change_extra", "Machine.ChangeExtra", "", func(g given, a *machine, p changeParams) (changedResult, error) {
		var r changedResult
		err := a.machine.ChangeExtra(g.ctx, p.Space, p.Name, func(old []byte) ([]byte, error) {
			r = changedResult{Changed: same(p.Old, old), Value: pointerTo(old)}
			if !r.Changed {
				return old, nil
			}
			if p.New == nil {
				return nil, nil
			}
			return *p.New, nil
		})
		if err != nil {
			return changedResult{}, err
		}
		if r.Changed {
			r.Value = p.New
		}
		return r, nil
	})
}

type (
	userParams   struct{ User matrix.UserID }
	usersParams  struct{ Users []matrix.UserID }
	masterParams struct {
		User   matrix.UserID
		Master account.VerifyKey
	}
	signatureParams struct {
		User       matrix.UserID
		Master, By account.VerifyKey
		Signature  account.Signature
	}
	takenResult  struct{ Taken bool }
	objectResult struct{ Object json.RawMessage }
	spaceParams  struct{ Space string }
	extraParams  struct{ Space, Name string }
	extraResult  struct{ Value *[]byte }
	extrasResult struct{ Extras []pawl.Extra }
	// changeParams change a record from what it must be to what it is to be, null for
	// no record.
	changeParams struct {
		Space, Name string
		Old, New    *[]byte
	}
	// changedResult is what the record is now: the new value if it was changed.
	changedResult struct {
		Changed bool
		Value   *[]byte
	}
)

func valueOf(b []byte) extraResult { return extraResult{pointerTo(b)} }

func pointerTo(b []byte) *[]byte {
	if b == nil {
		return nil
	}
	return &b
}

func same(want *[]byte, is []byte) bool {
	if want == nil {
		return is == nil
	}
	return is != nil && bytes.Equal(*want, is)
}
