package pawl

import (
	"context"
	"iter"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/matrix"
)

// RoomKey is a room key that is exported or imported. The provenance of one that is
// imported is group.Bundle, group.Backup or group.File.
type RoomKey = group.RoomKey

// RoomKeyExport says which room keys are exported. The zero value is all of them.
type RoomKeyExport struct {
	Rooms []matrix.RoomID // none: all
	// Damaged, if not nil, is told of each record that cannot be read, a kv.ErrCorrupt,
	// and the others are exported. Without it that ends the export.
	Damaged func(error)
	// Progress, if not nil, is called once for each of total sessions, exported or not.
	Progress func(total int)
}

// ExportRoomKeys yields the room keys of the sessions that there are when it begins,
// each as it is stored when its turn comes, in no order: the key that reaches furthest
// back. It holds a few hundred at a time, and a name of each. What is forgotten is not
// among them. It may be ranged over as often as one likes, and other calls may be made
// meanwhile. Package roomkeyfile writes the keys to a file.
//
// An error is the last: account.ErrRetired, kv.ErrCorrupt.
func (m *Machine) ExportRoomKeys(ctx context.Context, how RoomKeyExport) iter.Seq2[RoomKey, error] {
	return m.asClient().roomKeys.Export(ctx, roomkeys.Exporting(how))
}

// RoomKey returns the key of one session, as ExportRoomKeys would. It fails with
// group.ErrNoKey, group.ErrForgotten, account.ErrRetired or kv.ErrCorrupt.
func (m *Machine) RoomKey(ctx context.Context, session group.SessionID) (RoomKey, error) {
	return m.asClient().roomKeys.One(ctx, session)
}

// ImportedRoomKeys counts what became of room keys that were imported, each as the
// commit found it.
type ImportedRoomKeys struct {
	New     int // of sessions that were not known
	Better  int // reach further back than what was stored, or are of a better provenance
	Same    int // say nothing new
	Refused []RefusedRoomKey
}

// RefusedRoomKey is a room key that was not imported.
type RefusedRoomKey struct {
	Place   int             // among those given, from 0
	Room    matrix.RoomID   // empty where that is not known
	Session group.SessionID // likewise
	// Err is ErrContradicts, ErrOtherRoom, ErrProvenance, group.ErrForgotten,
	// group.ErrSource, matrix.ErrRoomID, or a kv.ErrCorrupt: what is stored of the
	// session is damaged. Of keys from a file also group.ErrMalformed, group.ErrVersion.
	Err error
}

// ImportRoomKeys imports room keys, in as many commits as the engine needs. Each is
// joined to what is stored: nothing that could be read before is lost, whoever
// imports at the same time. One that is refused keeps none of the others away. When
// a commit fails, what was imported before it is returned with the error, and all may
// be given again. Errors: account.ErrRetired, ErrFormat1.
func (m *Machine) ImportRoomKeys(ctx context.Context, keys []RoomKey) (ImportedRoomKeys, error) {
	done, err := m.asClient().roomKeys.Import(ctx, keys)
	return importedRoomKeys(done), err
}

// PutRoomKeys is ImportRoomKeys for keys of any provenance: of group.Direct and
// group.Forwarded ones the caller vouches that they came in an Olm message of the device
// that their source says, and has checked what ReceiveSync checks. It is for programs
// that handle to-device events by themselves.
func (m *Machine) PutRoomKeys(ctx context.Context, keys []RoomKey) (ImportedRoomKeys, error) {
	done, err := m.asClient().roomKeys.Restore(ctx, keys)
	return importedRoomKeys(done), err
}

// InheritRoomKeys gives the account the room keys of another account of the store, each
// with where it came from, and then which event has which of their messages: what the
// other account has read is ErrReplay as another event here, too, from when the call
// returns. It is for a new device in the place of one that is given up: call it before the
// new one reads anything, and Store.Delete of the other one afterwards. What is forgotten
// is not inherited, and what cannot be read is refused; the call may be made again. Errors:
// ErrNoAccount, account.ErrRetired, ErrFormat1.
func (m *Machine) InheritRoomKeys(ctx context.Context, user matrix.UserID, device matrix.DeviceID) (ImportedRoomKeys, error) {
	from := m.account.Store.Account(machine.AccountName{User: user, Device: device})
	done, err := m.asClient().roomKeys.Inherit(ctx, roomkeys.NewKeys(from))
	return importedRoomKeys(done), err
}

func importedRoomKeys(done roomkeys.Imported) ImportedRoomKeys {
	return ImportedRoomKeys{
		done.New, done.Better, done.Same,
		convert(done.Refused, func(r roomkeys.RefusedKey) RefusedRoomKey { return RefusedRoomKey(r) }),
	}
}

// RoomKeyImport says how room keys are imported.
type RoomKeyImport struct {
	Rooms []matrix.RoomID // of which; none: all
	// DryRun: nothing is changed, and the counts are those that an import would have
	// now.
	DryRun bool
	// Refused, if not nil, is told of each key that is refused, in their order, once
	// that is certain.
	Refused func(RefusedRoomKey)
}

// RoomKeyCounts are the counts of ImportedRoomKeys.
type RoomKeyCounts struct{ New, Better, Same, Refused int }

// ImportRoomKeysFrom is [Machine.ImportRoomKeys] for keys as they come, of a file, say
// (package roomkeyfile): however many there are, it holds no more of them than one
// commit takes, or of a dry run one of each session. An error of the sequence that is
// of one key, group.ErrMalformed, group.ErrVersion or matrix.ErrRoomID, refuses that
// one. Any other ends the call, when what came before it is imported, and is returned.
func (m *Machine) ImportRoomKeysFrom(ctx context.Context, keys iter.Seq2[RoomKey, error], how RoomKeyImport) (RoomKeyCounts, error) {
	internal := roomkeys.Importing{Rooms: how.Rooms, Dry: how.DryRun}
	if how.Refused != nil {
		internal.Refused = func(r roomkeys.RefusedKey) { how.Refused(RefusedRoomKey(r)) }
	}
	done, err := m.asClient().roomKeys.ImportFrom(ctx, keys, internal)
	return RoomKeyCounts(done), err
}
