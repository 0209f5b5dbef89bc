package pawl

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/imports"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// Import is a device that another program had, to go on in a store of Pawl's.
type Import struct {
	secret.Guard
	// Program is its name, of at most 64 bytes, and Digest that of what the device was
	// read from: it tells an import that goes on from another one.
	Program string
	Digest  [32]byte

	UserID   matrix.UserID
	DeviceID matrix.DeviceID
	Identity ratchet.KeyPair
	Signing  account.SigningKey
	Created  time.Time // zero: not known

	// OneTimeKeys are in the order in which they were made; of FallbackKeys the current
	// one comes first. LastKeyID is an id of a key as uploads of Pawl's have them: neither
	// it nor a lower one is given out again. It is 0 where the program's ids have another
	// form.
	OneTimeKeys  []ImportKey
	FallbackKeys []ImportKey
	LastKeyID    otk.ID

	Sessions []ImportSession
	RoomKeys []RoomKey // of any provenance

	// Since is the token that its next sync would have begun with: that of a program
	// which had taken in all that came before.
	Since string
	// Users are those whose devices it followed: they are asked for. Identities are
	// master keys that it had seen.
	Users      []matrix.UserID
	Identities []ImportIdentity
	// Rooms are those that it knew to be encrypted, which they stay.
	Rooms []ImportRoom
	// Messages are the events that it had read, as far as it is to be noticed when
	// another event has the same message: those of RoomKeys. Withheld are notices that
	// it had got.
	Messages []ImportMessage
	Withheld []group.Withheld
	// Extras are records of a program around Pawl.
	Extras []ImportExtra

	// Retired says that the program never runs again. Else the account only receives
	// until it is recovered ([Machine.Recover]): two programs that go on from one state
	// use the same message keys.
	Retired bool
}

// ImportKey is a one-time or fallback key.
type ImportKey struct {
	secret.Guard
	ID   otk.ID // 0 where the program names its keys in another form
	Pair ratchet.KeyPair
	// Published: the server has it, or has given it out. Else nobody knows, and it is
	// never offered.
	Published bool
}

// ImportSession is an Olm session. Times are zero where they are not known, and at most
// now: they rank imported sessions among each other, and all of them come after those
// that begin here.
type ImportSession struct {
	secret.Guard
	Ratchet  ratchet.Session
	Peer     ratchet.PublicKey // the identity key of the other device
	Created  time.Time
	Received time.Time // when a message was decrypted last
	Sent     time.Time // when one was encrypted last
}

// ImportIdentity is a master key that the program had of a user.
type ImportIdentity struct {
	User   matrix.UserID
	Master account.VerifyKey
	First  account.VerifyKey // that it had seen first, or accepted since: another is a change
}

// ImportRoom is an encrypted room.
type ImportRoom struct {
	Room       matrix.RoomID
	Encryption string // the content of its m.room.encryption; "": not known
}

// ImportMessage says which event has a message of a Megolm session.
type ImportMessage struct {
	Session group.SessionID
	Index   uint32
	Event   matrix.EventID
}

// ImportExtra is an extra record, as [Machine.ChangeExtra] keeps them.
type ImportExtra struct {
	secret.Guard
	Space, Name string
	Value       []byte
}

// Imported is what came of an import, or will.
type Imported struct {
	// Before: the account was imported before. It stays as it is, and nothing but room
	// keys was looked at.
	Before bool
	// NeedsRecovery: the account sends nothing until it is recovered.
	NeedsRecovery bool

	Published    int // one-time keys that the server may give out, or has
	Abandoned    int // one-time keys of which nobody knows that
	Used         int // one-time keys that opened one of the sessions
	FallbackKeys int
	Sessions     int
	Dropped      int // sessions that a peer has too many of: those used last stay
	RoomKeys     ImportedRoomKeys
}

// Import makes an account of a device that another program had, in as many commits as
// the engine needs. No key of it is ever published again; its next upload has a new
// fallback key, and one-time keys as soon as a sync says how many the server has.
//
// An import that is interrupted goes on when it is called again with the same. What was
// imported before stays as it is, whatever is given then; room keys are joined to what
// there is. Do not use the account before it is done.
//
// It fails with ErrImport (it cannot be the device of one program), ErrImportBegun
// (something else was begun under this name), otk.ErrExhausted, matrix.ErrUserID,
// matrix.ErrDeviceID, ErrAccountExists (an account that was made here, or that has
// other keys), ErrFormat1, account.ErrRetired, or as commits do.
func (s *Store) Import(ctx context.Context, d Import) (Imported, error) {
	done, err := imports.Import(ctx, s.store, d.device())
	return imported(done), err
}

// PlanImport says what Import would put in, and changes nothing. It fails as Import
// does.
func (s *Store) PlanImport(ctx context.Context, d Import) (Imported, error) {
	planned, err := imports.Plan(ctx, s.store, d.device())
	return imported(planned), err
}

// Plan is PlanImport where there is no store yet.
func (d Import) Plan() (Imported, error) {
	planned, err := imports.PlanOf(d.device(), time.Now())
	return imported(planned), err
}

func (d Import) device() imports.Device {
	key := func(k ImportKey) imports.Key { return imports.Key(k) }
	return imports.Device{
		Program: d.Program, Digest: d.Digest, Name: machine.AccountName{User: d.UserID, Device: d.DeviceID},
		Identity: d.Identity, Signing: d.Signing, Created: d.Created,
		OneTimeKeys: convert(d.OneTimeKeys, key), Fallbacks: convert(d.FallbackKeys, key), LastID: d.LastKeyID,
		Sessions: convert(d.Sessions, func(s ImportSession) imports.Session { return imports.Session(s) }),
		RoomKeys: convert(d.RoomKeys, func(k RoomKey) imports.RoomKey { return imports.RoomKey(k) }),
		Since:    d.Since, Users: d.Users, Withheld: d.Withheld,
		Identities: convert(d.Identities, func(i ImportIdentity) imports.Identity { return imports.Identity(i) }),
		Rooms:      convert(d.Rooms, func(r ImportRoom) imports.Room { return imports.Room(r) }),
		Messages:   convert(d.Messages, func(m ImportMessage) imports.Message { return imports.Message(m) }),
		Extras: convert(d.Extras, func(e ImportExtra) imports.Extra {
			return imports.Extra{Space: e.Space, Name: e.Name, Value: secret.Hide(e.Value)}
		}),
		Retired: d.Retired,
	}
}

func imported(i imports.Imported) Imported {
	return Imported{
		i.Before, i.NeedsRecovery, i.Published, i.Abandoned, i.Used, i.Fallbacks, i.Sessions, i.Dropped, importedRoomKeys(i.RoomKeys),
	}
}
