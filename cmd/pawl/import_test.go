package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/cli/imported"
	"github.com/pawlkv/pawl/internal/pickle/pickletest"
	"github.com/pawlkv/pawl/internal/testfiles"
)

// entry is one of a list.
type entry map[string]any

// listOf is the list of a life's pickles.
func listOf(l pickletest.Life) []entry {
	all := []entry{{"type": "inbound_group_session", "room_id": "!r:x", "sender_key": l.Sessions[0].Peer, "provenance": "direct",
		"sender_claimed_keys": map[string]string{"ed25519": l.Account.Ed25519}, "pickle": l.Inbound.Pickle}}
	for _, s := range l.Sessions {
		all = append(all, entry{"type": "session", "sender_key": s.Peer, "created_s": 1700000000, "received_ms": int64(1700000000000), "pickle": s.Pickle})
	}
	return append(all,
		entry{"type": "account", "user_id": "@alice:example.org", "device_id": "PHONE", "pickle": l.Account.Pickle},
		entry{"type": "outbound_group_session", "room_id": "!r:x", "pickle": l.Outbound.Pickle})
}

// importing is a directory with a list, the key of its pickles, and a place for a store.
type importing struct {
	t   *testing.T
	dir string
}

func newImporting(t *testing.T, l pickletest.Life, list any) importing {
	t.Helper()
	i := importing{t, t.TempDir()}
	b, err := json.Marshal(list)
	if text, is := list.(string); is {
		b = []byte(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	i.write("list.json", b)
	i.write("key", append([]byte(l.Key), '\n'))
	return i
}

func (i importing) path(name string) string { return filepath.Join(i.dir, name) }

func (i importing) write(name string, b []byte) {
	i.t.Helper()
	if err := os.WriteFile(i.path(name), b, 0o600); err != nil {
		i.t.Fatal(err)
	}
}

func (i importing) run(from string, flags ...string) (string, error) {
	return pawlCommand(append([]string{"import", i.path("store"), "--from", from, i.path("list.json"), "--pickle-key-file", i.path("key")}, flags...)...)
}

func lifeOf(t *testing.T, program, file string) pickletest.Life {
	t.Helper()
	for _, l := range pickletest.Lives(t, "../../internal/pickle/"+program+"/testdata/life") {
		if l.Name == file {
			return l
		}
	}
	t.Fatalf("no fixture %s", file)
	return pickletest.Life{}
}

func TestImportCommand(t *testing.T) {
	for program, file := range map[string]string{"libolm": "libolm.json", "vodozemac": "0.11.1.json"} {
		t.Run(program, func(t *testing.T) {
			l := lifeOf(t, program, file)
			i := newImporting(t, l, listOf(l))
			out, err := i.run(program, "--dry-run")
			want := "@alice:example.org/PHONE: would get 9 one-time keys (6 published, 3 not, 0 used), 2 fallback keys, 3 sessions, 2 room keys\n"
			if program == "libolm" {
				want = strings.Replace(want, "9 one-time keys (6 p", "11 one-time keys (8 p", 1)
			}
			if err != nil || out != want {
				t.Errorf("dry run: %q, %v, want %q", out, err, want)
			}
			if _, err := os.Stat(i.path("store")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a dry run made the store: %v", err)
			}
			var got imported.Report
			out, err = i.run(program, "--json")
			if err != nil || json.Unmarshal([]byte(out), &got) != nil {
				t.Fatalf("%q, %v", out, err)
			}
			if got.Sessions != 3 || got.FallbackKeys != 2 || got.OneTimeKeys.Abandoned != 3 || got.RoomKeys.New != 1 || got.RoomKeys.Same != 1 || !got.NeedsRecovery || got.Before || got.DryRun {
				t.Errorf("imported %+v", got)
			}
			out, err = i.run(program)
			if err != nil || !strings.Contains(out, "was imported before, and stays as it is; 2 room keys (0 new, 0 better, 2 known, 0 refused)") {
				t.Errorf("again: %q, %v", out, err)
			}
			if out, err := i.run(program, "--dry-run"); err != nil || !strings.Contains(out, "was imported before") {
				t.Errorf("dry run of it again: %q, %v", out, err)
			}
			peer := l.Sessions[2].Peer
			if _, err := pawlCommand("encrypt", i.path("store"), "--to", peer); pawl.CodeOf(err) != "needs_recovery" || !strings.Contains(err.Error(), "imported from another program") {
				t.Errorf("encrypting: %v", err)
			}
			if out, err := pawlCommand("check", i.path("store")); err != nil || !strings.Contains(out, "ok") {
				t.Errorf("check: %q, %v", out, err)
			}
		})
	}
}

// TestPlanOfNoPlace: of where nobody can look, or where no store can be, a dry run says
// that, and not what would be imported into a new one.
func TestPlanOfNoPlace(t *testing.T) {
	l := lifeOf(t, "libolm", "libolm.json")
	i := newImporting(t, l, listOf(l))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for store, says := range map[string]string{
		"postgres://" + closed.Addr().String() + "/db?space=s": "store unavailable",
		"etcd://" + closed.Addr().String() + "/s":              "store unavailable",
		i.path("key"):         "is a file: give a directory",
		"sqlite:" + i.dir:     "is a directory",
		i.path("key/further"): "not a directory",
	} {
		for _, flags := range [][]string{{"--dry-run"}, nil} {
			args := append([]string{"import", store, "--from", "libolm", i.path("list.json"), "--pickle-key-file", i.path("key")}, flags...)
			if out, err := pawlCommand(args...); err == nil || !strings.Contains(plain(err), says) || out != "" {
				t.Errorf("%s %q: %q, %v; want %q", store, flags, out, err, says)
			}
		}
	}
}

// TestImportRefusals: each is one clear error, and no store is made.
func TestImportRefusals(t *testing.T) {
	l := lifeOf(t, "libolm", "libolm.json")
	with := func(at int, member string, value any) []entry {
		list := listOf(l)
		if value == nil {
			delete(list[at], member)
		} else {
			list[at][member] = value
		}
		return list
	}
	const accountAt, sessionAt, inboundAt = 4, 1, 0
	for what, c := range map[string]struct {
		list any
		from string
		code pawl.Code
		says string
	}{
		"another program":     {listOf(l), "vodozemac", "pickle_key", "32 bytes"},
		"an older account":    {with(accountAt, "pickle", pickletest.Seal(l.Key, []byte{0, 0, 0, 1})), "libolm", "pickle_version", "version 1"},
		"a cut pickle":        {with(sessionAt, "pickle", l.Sessions[0].Pickle[:40]), "libolm", "pickle_damaged", "entry 1 (session)"},
		"a changed pickle":    {with(sessionAt, "pickle", "A"+l.Sessions[0].Pickle[1:]), "libolm", "pickle_damaged", "others open with the key"},
		"not JSON":            {"[{", "libolm", "import", "entry 0"},
		"not an array":        {"{}", "libolm", "import", "want a JSON array"},
		"an open array":       {"[", "libolm", "import", "ends within"},
		"two values":          {"[] []", "libolm", "import", "more follows"},
		"nothing":             {"[]", "libolm", "import", "no account"},
		"two accounts":        {append(listOf(l), listOf(l)[accountAt]), "libolm", "import", "both accounts"},
		"an unknown member":   {with(sessionAt, "created", 1), "libolm", "import", "created"},
		"an unknown type":     {with(sessionAt, "type", "sesion"), "libolm", "import", "sesion"},
		"another type":        {with(sessionAt, "created_s", "x"), "libolm", "import", "created_s"},
		"two units":           {with(sessionAt, "received_s", 1), "libolm", "import", "received_ms and received_s"},
		"seconds as ms":       {with(sessionAt, "created_s", int64(1700000000000)), "libolm", "import", "in seconds"},
		"negative time":       {with(sessionAt, "received_ms", -1), "libolm", "import", "in milliseconds"},
		"no peer":             {with(sessionAt, "sender_key", nil), "libolm", "import", "sender_key is missing"},
		"another peer":        {with(sessionAt+1, "sender_key", l.Sessions[0].Peer), "libolm", "import", "is not one with"},
		"no user":             {with(accountAt, "user_id", nil), "libolm", "user_id", "user_id"},
		"no device":           {with(accountAt, "device_id", nil), "libolm", "device_id", "device_id"},
		"no room":             {with(inboundAt, "room_id", nil), "libolm", "room_id", "room_id"},
		"unsigned, as direct": {with(inboundAt, "pickle", l.Inbound.ImportedPickle), "libolm", "import", "another way"},
		"direct, by nobody":   {with(inboundAt, "sender_key", nil), "libolm", "import", "sender_key"},
		"forwarded by nobody": {with(inboundAt, "provenance", "forwarded"), "libolm", "import", "forwarded_by"},
		"provenance":          {with(inboundAt, "provenance", "friend"), "libolm", "import", "friend"},
	} {
		i := newImporting(t, l, c.list)
		out, err := i.run(c.from)
		if pawl.CodeOf(err) != c.code || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q, %v (%s), want %s with %q", what, out, err, pawl.CodeOf(err), c.code, c.says)
		}
		if err != nil && strings.Contains(plain(err), string(l.Key)) {
			t.Errorf("%s: the error tells the pickle key", what)
		}
		if _, err := os.Stat(i.path("store")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a store was made: %v", what, err)
		}
	}
}

func TestImportKeys(t *testing.T) {
	l := lifeOf(t, "vodozemac", "0.9.0.json")
	i := newImporting(t, l, listOf(l))
	i.write("key", []byte("another key, of 32 bytes or more"))
	if _, err := i.run("vodozemac"); pawl.CodeOf(err) != "pickle_key" {
		t.Errorf("a wrong key: %v", err)
	}
	var usage *cli.UsageError
	if _, err := pawlCommand("import", i.path("store"), "--from", "vodozemac", i.path("list.json")); !errors.As(err, &usage) {
		t.Errorf("no key: %v, want a usage error", err)
	}
	if _, err := i.run("matrix-sdk"); !errors.As(err, &usage) {
		t.Errorf("another program: %v, want a usage error", err)
	}
	t.Setenv(pickleKeyEnv, "YSBwaWNrbGUga2V5IGhhcyB0aGlydHktdHdvIGJ5dGU=") // the key in padded base64
	out, err := pawlCommand("import", i.path("store"), "--from", "vodozemac", i.path("list.json"), "--retired")
	if err != nil || strings.Contains(out, "pawl recover") {
		t.Errorf("by the environment, and retired: %q, %v", out, err)
	}
	out, err = pawlCommand("encrypt", i.path("store"), "--to", l.Sessions[2].Peer)
	if err != nil {
		t.Errorf("encrypting: %q, %v", out, err)
	}
}

// TestPickleKeyFiles: a key of random bytes is taken as it is, though some of them end
// lines; one that may have any length is a line.
func TestPickleKeyFiles(t *testing.T) {
	plain := "a pickle key has thirty-two byte"
	ends := "\n" + plain[:10] + "\r\n" + plain[:17] + "\r\n"
	for what, c := range map[string]struct{ program, file, key string }{
		"as it is":                      {"vodozemac", plain, plain},
		"as a line":                     {"vodozemac", plain + "\n", plain},
		"as a line that ends in CRLF":   {"vodozemac", plain + "\r\n", plain},
		"with ends of lines":            {"vodozemac", ends, ends},
		"with ends of lines, as a line": {"vodozemac", ends + "\n", ends},
		"in base64":                     {"vodozemac", "YSBwaWNrbGUga2V5IGhhcyB0aGlydHktdHdvIGJ5dGU\nmore", "YSBwaWNrbGUga2V5IGhhcyB0aGlydHktdHdvIGJ5dGU"},
		"of libolm, of that length":     {"libolm", ends, ""},
		"of libolm":                     {"libolm", " key \nmore", " key "},
		"of libolm, none":               {"libolm", "", ""},
	} {
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := (&importCommand{keyFile: file}).pickleKey(t.Context(), picklers[c.program])
		if err != nil || string(got.Reveal()) != c.key {
			t.Errorf("%s: %q, %v, want %q", what, got.Reveal(), err, c.key)
		}
	}
}

// TestCorpusIsCommitted: what FuzzList begins with.
func TestCorpusIsCommitted(t *testing.T) {
	testfiles.Corpus(t, "FuzzList", map[string][]byte{
		"accept-entries":     []byte(`[{"type":"account","user_id":"@a:x","device_id":"D","created_s":1,"pickle":"AA"},{"type":"session","sender_key":"x","pickle":""}]`),
		"accept-nothing":     []byte(`[]`),
		"refuse-object":      []byte(`{"type":"account"}`),
		"refuse-open":        []byte(`[{"type":"account"}`),
		"refuse-more":        []byte(`[] 1`),
		"refuse-member":      []byte(`[{"typ":"account"}]`),
		"refuse-type":        []byte(`[{"created_ms":"1"}]`),
		"refuse-large-times": []byte(`[{"created_ms":9223372036854775808}]`),
	})
}

// FuzzList reads whatever is given as a list: it fails with one kind of error, or reads.
func FuzzList(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _, err := readList(strings.NewReader(string(b)))
		if err != nil {
			if !errors.Is(err, pawl.ErrImport) {
				t.Errorf("%v, want ErrImport", err)
			}
			return
		}
		l := list{pickler: picklers["libolm"], secret: []byte("key"), all: all}
		if _, err := l.device(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a device of nothing: %v", err)
		}
	})
}
