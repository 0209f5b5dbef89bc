package pawlmautrix

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/backup"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/matrix"
)

// A key backup that one device's machine makes is restored by that of another device, with
// Pawl, which reads with it what was said before it was there.
func TestKeyBackup(t *testing.T) {
	if *where == "" {
		t.Skip("without Synapse, which has key backups: run make e2e")
	}
	s := server(t)
	bot := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	peer := startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, bot, peer)
	sent := peer.say(room, "long ago")
	bot.reads("long ago")

	key, err := backup.NewMegolmBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	made, err := bot.client.CreateKeyBackupVersion(t.Context(), &mautrix.ReqRoomKeysVersionCreate[backup.MegolmAuthData]{
		Algorithm: id.KeyBackupAlgorithmMegolmBackupV1,
		AuthData:  backup.MegolmAuthData{PublicKey: id.Ed25519(base64.RawStdEncoding.EncodeToString(key.PublicKey().Bytes()))},
	})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := olmOf(bot).CryptoStore.GetGroupSessionsWithoutKeyBackupVersion(t.Context(), made.Version).AsList()
	if err != nil || len(sessions) == 0 {
		t.Fatal(len(sessions), err)
	}
	all := mautrix.ReqRoomKeyBackup{Sessions: map[id.SessionID]mautrix.ReqKeyBackupData{}}
	for _, igs := range sessions {
		exported, err := igs.Internal.Export(igs.Internal.FirstKnownIndex())
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := backup.EncryptSessionData(key, backup.MegolmSessionData{
			Algorithm: id.AlgorithmMegolmV1, SenderKey: igs.SenderKey, SessionKey: string(exported),
			SenderClaimedKeys: backup.SenderClaimedKeys{Ed25519: igs.SigningKey}, ForwardingKeyChain: []string{},
		})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(sealed)
		if err != nil {
			t.Fatal(err)
		}
		all.Sessions[igs.ID()] = mautrix.ReqKeyBackupData{SessionData: raw}
	}
	if _, err := bot.client.PutKeysInBackup(t.Context(), made.Version, &mautrix.ReqKeyBackup{Rooms: map[id.RoomID]mautrix.ReqRoomKeyBackup{room: all}}); err != nil {
		t.Fatal(err)
	}

	other := newProgram(t, s, alice, "TABLET", s.Login(matrix.UserID(alice), "TABLET"))
	h, err := NewCryptoHelper(other.client, []byte("secret"), at(t.TempDir(), "other.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	other.helper = h
	t.Cleanup(other.stop)
	if err := h.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	old := (&scene{T: t, bot: bot, room: room}).encrypted(sent)
	if _, err := h.Decrypt(t.Context(), old); err == nil {
		t.Fatal("it was read without the backup")
	}
	if version, err := h.Machine().DownloadAndStoreLatestKeyBackup(t.Context(), key); err != nil || version != made.Version {
		t.Fatalf("version %s, %v", version, err)
	}
	read, err := h.Decrypt(t.Context(), old)
	if err != nil || read.Content.AsMessage().Body != "long ago" || read.Mautrix.TrustState != id.TrustStateBackup {
		t.Errorf("%+v, %v", read, err)
	}
}

// A file that mautrix-go exports from Pawl's room keys is read by mautrix-go's machine and
// by matrix-sdk-crypto, and what that writes by the helper's.
func TestKeyFile(t *testing.T) {
	const passphrase = "correct horse"
	needsNode(t)
	s := server(t)
	bot := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	peer, other := startMautrix(t, s, bob, "LAPTOP"), startMautrix(t, s, alice, "TABLET")
	room := makeRoom(t, bot, peer)
	peer.say(room, "hello")
	bot.reads("hello")
	file, err := crypto.ExportKeysIter(passphrase, olmOf(bot).CryptoStore.GetAllGroupSessions(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if imported, total, err := olmOf(other).ImportKeys(t.Context(), passphrase, file); err != nil || imported != 1 || total != 1 {
		t.Errorf("mautrix-go imports %d of %d, %v", imported, total, err)
	}
	in, err := json.Marshal(map[string]any{"file": string(file), "passphrase": passphrase, "rounds": 1000})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "carry.mjs")
	cmd.Dir, cmd.Stdin, cmd.Stderr = nodebot, bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	var carried struct{ Imported, Total int }
	if err == nil {
		err = json.Unmarshal(out, &carried)
	}
	if err != nil || carried.Imported != 1 || carried.Total != 1 {
		t.Fatalf("matrix-sdk-crypto imports %d of %d, %v", carried.Imported, carried.Total, err)
	}
	back, err := crypto.ExportKeysIter(passphrase, olmOf(other).CryptoStore.GetAllGroupSessions(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if imported, total, err := olmOf(bot).ImportKeys(t.Context(), passphrase, back); err != nil || imported != 1 || total != 1 {
		t.Errorf("the helper's machine imports %d of %d, %v", imported, total, err)
	}
}
