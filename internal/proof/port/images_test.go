package port

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

var makeImages = flag.Bool("images.make", false, "write vectors/images again: older ones are then read by nothing")

const images = root + "/vectors/images"

// imageVector is a store as an engine left it, and a message to the device in it that
// was not read yet.
type imageVector struct {
	Name, Path, Engine, Expect string
	Key, Sender, Plaintext     testfiles.Hex
	User                       matrix.UserID
	Device                     matrix.DeviceID
	Message                    struct {
		Type int
		Body testfiles.Hex
	}
}

// engines are those of the images, by their names.
var engines = map[string]func(path string) (kv.Store, error){
	"sqlite": func(path string) (kv.Store, error) { return sqlitekv.Open(path) },
	"badger": func(path string) (kv.Store, error) { return badgerkv.Open(path) },
}

// TestImages: a store that an older version left is opened, has nothing broken, and reads
// the message that came then. The images stay as they are: it works on copies.
func TestImages(t *testing.T) {
	if *makeImages {
		writeImages(t)
	}
	testfiles.RunIn(t, images, testfiles.Kinds{"pawl-image": openImages, "pawl-image-indexeddb": openDatabases}, map[string][]error{"accepted": nil})
}

func openImages(t *testing.T, f testfiles.Vectors) {
	seen := map[string]bool{}
	for _, v := range testfiles.List[imageVector](t, f) {
		seen[v.Engine] = true
		t.Run(v.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), v.Path)
			if err := copied(path, filepath.Join(images, v.Path)); err != nil {
				t.Fatal(err)
			}
			engine, err := engines[v.Engine](path)
			if v.Engine == "badger" && strconv.IntSize == 32 {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Fatalf("Badger damages stores where int has 32 bits, and it is opened: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			// A copy is what it is, and would have to be recovered.
			store, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte(v.Key)), pawl.WithoutNoticingCopies())
			if err != nil {
				t.Fatal(err)
			}
			if found, err := store.Check(t.Context()); len(found) > 0 || err != nil {
				t.Errorf("check finds %v, %v", found, err)
			}
			m, err := store.Machine(t.Context(), v.User, v.Device)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Decrypt(t.Context(), ratchet.PublicKey(v.Sender), ratchet.Message{Type: ratchet.MessageType(v.Message.Type), Body: v.Message.Body})
			f.Want(t, v.Expect, err)
			if string(got.Plaintext) != string(v.Plaintext) || got.Duplicate {
				t.Errorf("the message reads %q, duplicate %v; want %q", got.Plaintext, got.Duplicate, v.Plaintext)
			}
		})
	}
	for name := range engines {
		if !seen[name] {
			t.Errorf("there is no image of %s", name)
		}
	}
}

// copied copies a file or a directory, which git keeps readable by all.
func copied(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.Join(os.CopyFS(to, os.DirFS(from)), os.Chmod(to, 0o700))
	}
	b, err := os.ReadFile(from)
	return errors.Join(err, os.WriteFile(to, b, 0o600))
}

// ofImages are the files of a Badger store that has been closed of which it consists:
// others are made again.
var ofImages = []string{"pawl.format", "MANIFEST", "KEYREGISTRY", "*.sst"}

// writeImages makes a store with each engine. "pawl inspect" writes what is beside them.
func writeImages(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	var all []map[string]any
	for _, name := range []string{"badger", "sqlite"} {
		path := map[string]string{"badger": "badger", "sqlite": "sqlite.db"}[name]
		engine, err := engines[name](filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, map[string]any{"name": "a store of " + name, "path": path, "engine": name, "expect": "accepted"})
		fillImage(t, engine, all[len(all)-1])
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadDir(images)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range old {
		if !strings.HasSuffix(e.Name(), ".txt") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(images, e.Name())))
		}
	}
	err = os.MkdirAll(filepath.Join(images, "badger"), 0o755)
	for _, pattern := range append([]string{"../sqlite.db"}, ofImages...) {
		paths, globErr := filepath.Glob(filepath.Join(dir, "badger", pattern))
		err = errors.Join(err, globErr)
		for _, path := range paths {
			b, readErr := os.ReadFile(path)
			to, relErr := filepath.Rel(dir, path)
			err = errors.Join(err, readErr, relErr, os.WriteFile(filepath.Join(images, to), b, 0o644))
		}
	}
	b, jsonErr := json.MarshalIndent(map[string]any{
		"format": 1, "kind": "pawl-image", "description": "Stores as engines left them, with a message that was not read yet.",
		"origin": map[string]string{"library": "Pawl: nobody else has these stores", "command": "go test -run TestImages ./internal/proof/port -images.make", "date": "2026-11-30"},
		"expect": []string{"accepted"}, "vectors": all,
	}, "", " ")
	if err := errors.Join(err, jsonErr, os.WriteFile(filepath.Join(images, "images.json"), append(b, '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// fillImage makes a device that has written to another, and been answered.
func fillImage(t *testing.T, engine kv.Store, vector map[string]any) {
	t.Helper()
	at := time.Date(2026, 5, 13, 20, 5, 0, 0, time.UTC)
	key := [32]byte{}
	for i := range key {
		key[i] = byte(i)
	}
	open := func(engine kv.Store, user matrix.UserID) *pawl.Machine {
		s, err := pawl.Open(t.Context(), engine, pawl.WithKey(key), pawl.WithClock(func() time.Time { return at }), pawl.WithoutNoticingCopies())
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Create(t.Context(), user, "PHONE")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	alice, bob := open(engine, "@alice:example.org"), open(memkv.New(), "@bob:example.org")
	a, b := identityOf(t, alice), identityOf(t, bob)
	aliceKey := firstKey(t, alice, 5)
	said := func(from *pawl.Machine, to ratchet.PublicKey, text string, opts ...pawl.EncryptOption) ratchet.Message {
		e, err := from.Encrypt(t.Context(), to, []byte(text), opts...)
		if err != nil {
			t.Fatal(err)
		}
		return e.Message
	}
	read := func(m *pawl.Machine, from ratchet.PublicKey, message ratchet.Message) pawl.Decrypted {
		got, err := m.Decrypt(t.Context(), from, message)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := read(alice, b.Curve25519, said(bob, a.Curve25519, "hello", pawl.WithOneTimeKey(aliceKey)))
	read(bob, a.Curve25519, said(alice, b.Curve25519, "hello yourself"))
	said(bob, a.Curve25519, "never arrives")
	read(alice, b.Curve25519, said(bob, a.Curve25519, "two"))
	if err := alice.Acknowledge(t.Context(), first.Receipt); err != nil {
		t.Fatal(err)
	}
	sender, err := group.NewSender(deterministic{})
	if err != nil {
		t.Fatal(err)
	}
	roomKey := pawl.RoomKey{Room: "!room:example.org", Key: sender.Key(), Source: group.Source{Provenance: group.File, Sender: b.Curve25519}}
	if _, err := alice.ImportRoomKeys(t.Context(), []pawl.RoomKey{roomKey}); err != nil {
		t.Fatal(err)
	}
	m := said(bob, a.Curve25519, "the next")
	vector["key"], vector["user"], vector["device"] = hexOf(key[:]), a.UserID, a.DeviceID
	vector["sender"], vector["plaintext"] = hexOf(b.Curve25519[:]), hexOf([]byte("the next"))
	vector["message"] = map[string]any{"type": int(m.Type), "body": hexOf(m.Body)}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// deterministic is no randomness: of the image everything is known.
type deterministic struct{}

func (deterministic) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i)
	}
	return len(b), nil
}

func identityOf(t *testing.T, m *pawl.Machine) pawl.Identity {
	t.Helper()
	id, err := m.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// firstKey uploads keys and returns one of them.
func firstKey(t *testing.T, m *pawl.Machine, n int) ratchet.PublicKey {
	t.Helper()
	u, err := m.KeysForUpload(t.Context(), n)
	if err == nil {
		err = m.MarkPublished(t.Context(), u)
	}
	var body struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := errors.Join(err, json.Unmarshal(u.Body, &body)); err != nil {
		t.Fatal(err)
	}
	for _, k := range body.Keys {
		key, err := ratchet.ParsePublicKey(k.Key)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	t.Fatal("no key was uploaded")
	return ratchet.PublicKey{}
}

// TestSecondReader: a program in Python that has nothing of Pawl opens the image of
// SQLite, unseals every record, and prints what "pawl inspect" prints.
func TestSecondReader(t *testing.T) {
	want, err := os.ReadFile(filepath.Join(images, "sqlite.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python(t), root+"/examples/python/inspect_store.py", images+"/sqlite.db", images+"/images.json").CombinedOutput()
	if err != nil || string(out) != string(want) {
		t.Errorf("it prints, with %v,\n%s\nand pawl inspect prints\n%s", err, out, want)
	}
}
