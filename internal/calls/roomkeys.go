package calls

import (
	"bytes"
	"crypto/rand"
	"iter"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/roomkeyfile"
)

// Calls on a machine: room keys in and out.
func init() {
	machineCall("room_key", "Machine.RoomKey", "", func(g given, a *machine, p oneSession) (keyResult, error) {
		k, err := a.machine.RoomKey(g.ctx, p.Session)
		if err != nil {
			return keyResult{}, err
		}
		key, err := writtenKey(k)
		return keyResult{key}, err
	})
	machineCall("import_room_keys", "Machine.ImportRoomKeys", "", func(g given, a *machine, p keysParams) (pawl.ImportedRoomKeys, error) {
		keys, err := p.keys()
		if err != nil {
			return pawl.ImportedRoomKeys{}, err
		}
		return a.machine.ImportRoomKeys(g.ctx, keys)
	})
	machineCall("put_room_keys", "Machine.PutRoomKeys", "", func(g given, a *machine, p keysParams) (pawl.ImportedRoomKeys, error) {
		keys, err := p.keys()
		if err != nil {
			return pawl.ImportedRoomKeys{}, err
		}
		return a.machine.PutRoomKeys(g.ctx, keys)
	})
	machineCall("inherit_room_keys", "Machine.InheritRoomKeys", "", func(g given, a *machine, p accountParams) (pawl.ImportedRoomKeys, error) {
		return a.machine.InheritRoomKeys(g.ctx, p.User, p.Device)
	})
	machineCall("import_room_key_file", "Machine.ImportRoomKeysFrom", "the file", func(g given, a *machine, p importParams) (fileResult, error) {
		r, err := roomkeyfile.NewReader(bytes.NewReader(g.body))
		if err != nil {
			return fileResult{}, err
		}
		if err := r.Unlock(g.ctx, []byte(p.Passphrase)); err != nil {
			return fileResult{}, err
		}
		var done fileResult
		done.RoomKeyCounts, err = a.machine.ImportRoomKeysFrom(g.ctx, r.Keys(), pawl.RoomKeyImport{
			Rooms: p.Rooms, DryRun: p.DryRun,
			Refused: func(k pawl.RefusedRoomKey) { done.Keys = append(done.Keys, k) },
		})
		return done, err
	})
	machineCall("export_room_key_file", "", "", func(g given, a *machine, p exportParams) (fileText, error) {
		return exportFile(a.machine.ExportRoomKeys(g.ctx, pawl.RoomKeyExport{Rooms: p.Rooms}), []byte(p.Passphrase))
	})
	machineCall("forget_room_keys", "Machine.ForgetRoomKeys", "", func(g given, a *machine, p pawl.Forgetting) (forgottenResult, error) {
		n, err := a.machine.ForgetRoomKeys(g.ctx, p)
		return forgottenResult{n}, err
	})
}

type (
	oneSession struct{ Session group.SessionID }
	keyResult  struct{ Key roomKey }
	keysParams struct {
		Keys []roomKey
	}
	importParams struct {
		Passphrase string
		Rooms      []matrix.RoomID
		DryRun     bool
	}
	// fileResult are the counts, and the keys that were refused.
	fileResult struct {
		pawl.RoomKeyCounts
		Keys []pawl.RefusedRoomKey
	}
	exportParams struct {
		Passphrase string
		Rooms      []matrix.RoomID
	}
	// fileText is a room key file, which is ASCII.
	fileText struct {
		File  string
		Count int
	}
	forgottenResult struct{ Forgotten int }
)

// roomKey is a pawl.RoomKey. Names are those of files of room keys, where these have
// them.
type roomKey struct {
	RoomID    matrix.RoomID
	SessionID group.SessionID // of a key that is given it need not be there
	// SessionKey is the key as it is exported, in base64.
	SessionKey []byte
	SenderKey  ratchet.PublicKey
	// SenderClaimedEd25519Key is the Ed25519 key of the device that made the session.
	SenderClaimedEd25519Key account.VerifyKey
	// Giver is the device that forwarded the key or gave the bundle.
	Giver         ratchet.PublicKey
	Provenance    group.Provenance
	SharedHistory bool
}

func writtenKey(k pawl.RoomKey) (roomKey, error) {
	b, err := k.Key.Export(nil)
	return roomKey{
		RoomID: k.Room, SessionID: k.Key.ID(), SessionKey: b, SenderKey: k.Source.Sender,
		SenderClaimedEd25519Key: k.Source.Claimed, Giver: k.Source.Giver,
		Provenance: k.Source.Provenance, SharedHistory: k.Source.SharedHistory,
	}, err
}

// keys are those that are given. One that is none is an error of the call, since the
// program made it: a file says what was refused.
func (p keysParams) keys() (all []pawl.RoomKey, err error) {
	for _, k := range p.Keys {
		key, err := group.ParseExportedKey(k.SessionKey)
		if err != nil {
			return nil, err
		}
		if k.SessionID != (group.SessionID{}) && k.SessionID != key.ID() {
			return nil, pawl.ErrSessionID
		}
		all = append(all, pawl.RoomKey{Room: k.RoomID, Key: key, Source: group.Source{
			Provenance: k.Provenance, Sender: k.SenderKey, Claimed: k.SenderClaimedEd25519Key,
			Giver: k.Giver, SharedHistory: k.SharedHistory,
		}})
	}
	return all, nil
}

func exportFile(keys iter.Seq2[pawl.RoomKey, error], passphrase []byte) (fileText, error) {
	var file bytes.Buffer
	w, err := roomkeyfile.NewWriter(&file, rand.Reader, passphrase)
	if err != nil {
		return fileText{}, err
	}
	for k, err := range keys {
		if err != nil {
			return fileText{}, err
		}
		if err := w.Add(k); err != nil {
			return fileText{}, err
		}
	}
	if err := w.Close(); err != nil {
		return fileText{}, err
	}
	return fileText{file.String(), w.Count()}, nil
}
