package imports_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/internal/pickle/pickletest"
	"github.com/pawlkv/pawl/internal/pickle/vodozemac"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

const (
	user = "@alice:example.org"
	name = "PHONE"
	room = "!room:example.org"
)

// life is a fixture with what reads it.
type life struct {
	pickletest.Life
	libolm bool
}

func lives(tb testing.TB) (all []life) {
	for _, l := range pickletest.Lives(tb, "../../pickle/libolm/testdata/life") {
		all = append(all, life{l, true})
	}
	for _, l := range pickletest.Lives(tb, "../../pickle/vodozemac/testdata/life") {
		all = append(all, life{l, false})
	}
	return all
}

// device is what there is to import of a life.
func (l life) device(tb testing.TB) pawl.Import {
	tb.Helper()
	read := struct {
		account func([]byte, string) (pickle.Account, error)
		session func([]byte, string, ratchet.PublicKey) (ratchet.Session, error)
		inbound func([]byte, string) (pickle.Inbound, error)
	}{vodozemac.Account, vodozemac.Session, vodozemac.Inbound}
	if l.libolm {
		read.account, read.session, read.inbound = libolm.Account, libolm.Session, libolm.Inbound
	}
	a, err := read.account(l.Key, l.Account.Pickle)
	if err != nil {
		tb.Fatal(err)
	}
	d := pawl.Import{
		Program: "test", Digest: [32]byte{1}, UserID: user, DeviceID: name, Identity: a.Identity, Signing: a.Signing,
		OneTimeKeys: keysOf(a.OneTimeKeys), FallbackKeys: keysOf(a.Fallbacks), LastKeyID: a.LastID,
	}
	for _, s := range l.Sessions {
		r, err := read.session(l.Key, s.Pickle, a.Identity.Public())
		if err != nil {
			tb.Fatal(err)
		}
		d.Sessions = append(d.Sessions, pawl.ImportSession{Ratchet: r, Peer: pickletest.Key(tb, s.Peer)})
	}
	in, err := read.inbound(l.Key, l.Inbound.Pickle)
	if err != nil {
		tb.Fatal(err)
	}
	source := group.Source{Provenance: group.Direct, Sender: d.Sessions[0].Peer}
	d.RoomKeys = []pawl.RoomKey{{Room: room, Key: in.Key, Source: source}}
	return d
}

func keysOf(keys []pickle.Key) (out []pawl.ImportKey) {
	for _, k := range keys {
		out = append(out, pawl.ImportKey(k))
	}
	return out
}

// noon is when everything happens.
var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func open(tb testing.TB, engine kv.Store) *pawl.Store {
	tb.Helper()
	s, err := pawl.Open(tb.Context(), engine, pawl.WithKey([32]byte{1}), pawl.WithClock(func() time.Time { return noon }))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// smallest is an engine that takes the least in a commit.
func smallest() *memkv.Store { return memkv.New(memkv.WithLimits(kv.Floor())) }

func machineOf(tb testing.TB, s *pawl.Store) *pawl.Machine {
	tb.Helper()
	m, err := s.Machine(tb.Context(), user, name)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// whole fails the test if something in the account is broken.
func whole(tb testing.TB, m *pawl.Machine) {
	tb.Helper()
	if broken, err := m.Check(tb.Context()); err != nil || len(broken) > 0 {
		tb.Fatalf("the account is broken: %q, %v", broken, err)
	}
}

// entries is all that is stored, with its version.
func entries(tb testing.TB, engine kv.Store) map[string]string {
	tb.Helper()
	all := map[string]string{}
	snap := engine.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(tb.Context(), "") {
		if err != nil {
			tb.Fatal(err)
		}
		all[e.Key] = fmt.Sprintf("%d %x", e.Version, e.Value)
	}
	return all
}

// TestTheDeviceTalksOn: a device whose program is gone sends what that would have sent
// next, and reads whatever its peers sent since.
func TestTheDeviceTalksOn(t *testing.T) {
	for _, l := range lives(t) {
		t.Run(l.Name, func(t *testing.T) {
			engine := smallest()
			store := open(t, engine)
			d := l.device(t)
			d.Retired = true
			done, err := store.Import(t.Context(), d)
			want := pawl.Imported{
				Published: len(l.Account.Published), Abandoned: len(l.Account.Unpublished), FallbackKeys: 2, Sessions: 3,
				RoomKeys: pawl.ImportedRoomKeys{New: 1},
			}
			if err != nil || fmt.Sprint(done) != fmt.Sprint(want) {
				t.Fatalf("imported %+v, %v, want %+v", done, err, want)
			}
			m := machineOf(t, store)
			whole(t, m)
			for _, s := range l.Sessions {
				talksOn(t, m, s)
			}
			for _, f := range l.First {
				got, err := m.Decrypt(t.Context(), pickletest.Key(t, f.Peer), ratchet.Message{Type: f.Message.Type, Body: f.Message.Body})
				if err != nil || string(got.Plaintext) != f.Message.Text {
					t.Errorf("a first message %s: %q, %v", f.Message.Text, got.Plaintext, err)
				}
				if _, err := m.Encrypt(t.Context(), pickletest.Key(t, f.Peer), []byte("an answer")); err != nil {
					t.Errorf("answering it: %v", err)
				}
			}
			whole(t, m)
		})
	}
}

func talksOn(t *testing.T, m *pawl.Machine, s pickletest.Session) {
	t.Helper()
	peer := pickletest.Key(t, s.Peer)
	if s.Next != nil {
		e, err := m.Encrypt(t.Context(), peer, []byte(s.Next.Text))
		if err != nil || e.Session.String() != s.ID || !s.Next.Is(e.Message) {
			t.Errorf("%s: sends %x, %v, want %x", s.Name, e.Message.Body, err, s.Next.Body)
		}
	}
	for _, u := range s.Unread {
		got, err := m.Decrypt(t.Context(), peer, ratchet.Message{Type: u.Type, Body: u.Body})
		if err != nil || string(got.Plaintext) != u.Text || got.Session.String() != s.ID || got.Duplicate {
			t.Errorf("%s: reads %q, %v, want %q", s.Name, got.Plaintext, err, u.Text)
		}
	}
	if _, err := m.Encrypt(t.Context(), peer, []byte("ours")); err != nil {
		t.Errorf("%s: %v", s.Name, err)
	}
}

// uploaded is a body of keys.
type uploaded struct {
	OneTime  map[string]struct{ Key string } `json:"one_time_keys"`
	Fallback map[string]struct{ Key string } `json:"fallback_keys"`
}

// TestNoKeyIsPublishedAgain: neither an id nor a key of the old life is in a body, and
// the first has a new fallback key.
func TestNoKeyIsPublishedAgain(t *testing.T) {
	for _, l := range lives(t) {
		for _, retired := range []bool{true, false} {
			store := open(t, smallest())
			d := l.device(t)
			d.Retired = retired
			if _, err := store.Import(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			m := machineOf(t, store)
			if !retired {
				if _, err := m.KeysForUpload(t.Context(), 1); !errors.Is(err, pawl.ErrNeedsRecovery) {
					t.Fatalf("uploading before the recovery: %v", err)
				}
				if _, err := m.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			u, err := m.KeysForUpload(t.Context(), 60)
			if err != nil {
				t.Fatal(err)
			}
			var body uploaded
			if err := json.Unmarshal(u.Body, &body); err != nil || len(body.OneTime) != 60 || len(body.Fallback) != 1 {
				t.Fatalf("%d one-time and %d fallback keys in a body, %v", len(body.OneTime), len(body.Fallback), err)
			}
			old := slices.Concat(l.Account.Published, l.Account.Unpublished, []string{l.Account.Fallback, l.Account.PreviousFallback})
			maps.Copy(body.OneTime, body.Fallback)
			for id, k := range body.OneTime {
				if slices.Contains(old, k.Key) {
					t.Errorf("%s: key %s is published again", l.Name, k.Key)
				}
				if n := mustID(t, id); uint32(n) <= l.Account.LastID {
					t.Errorf("%s: id %v is given out again, the last was %d", l.Name, n, l.Account.LastID)
				}
			}
		}
	}
}

func mustID(t *testing.T, text string) otk.ID {
	t.Helper()
	_, id, _ := bytes.Cut([]byte(text), []byte(":"))
	n, err := otk.ParseID(string(id))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTheServerIsAskedFirst: what it has under the device's name, and how many one-time
// keys, is not known before it says so.
func TestTheServerIsAskedFirst(t *testing.T) {
	store := open(t, smallest())
	d := lives(t)[0].device(t)
	d.Retired = true
	if _, err := store.Import(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	m := machineOf(t, store)
	requests, err := m.OutgoingRequests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	response := fmt.Sprintf(`{"device_keys":{%q:{%q:%s}}}`, user, name, mustDeviceKeys(t, d))
	for _, r := range requests {
		if r.Kind != pawl.KeysQuery {
			t.Fatalf("request %v before the server was asked", r.Kind)
		}
		if err := m.MarkSent(t.Context(), r.ID, []byte(response)); err != nil {
			t.Fatal(err)
		}
	}
	requests, err = m.OutgoingRequests(t.Context())
	if err != nil || len(requests) != 1 || requests[0].Kind != pawl.KeysUpload {
		t.Fatalf("%d requests, %v, want an upload", len(requests), err)
	}
	var body uploaded
	if err := json.Unmarshal(requests[0].Body, &body); err != nil || len(body.OneTime) != 0 || len(body.Fallback) != 1 {
		t.Errorf("%d one-time keys and %d fallback keys before a sync, want 0 and 1", len(body.OneTime), len(body.Fallback))
	}
}

func mustDeviceKeys(t *testing.T, d pawl.Import) []byte {
	t.Helper()
	a, err := account.Restore(d.UserID, d.DeviceID, d.Identity, d.Signing, noon)
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.DeviceKeys()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUntilRecoveredItOnlyReceives: the old program may still run.
func TestUntilRecoveredItOnlyReceives(t *testing.T) {
	l := lives(t)[0]
	store := open(t, smallest())
	done, err := store.Import(t.Context(), l.device(t))
	if err != nil || !done.NeedsRecovery {
		t.Fatalf("imported %+v, %v", done, err)
	}
	m := machineOf(t, store)
	long := l.Sessions[2]
	peer := pickletest.Key(t, long.Peer)
	if _, err := m.Encrypt(t.Context(), peer, []byte("x")); !errors.Is(err, pawl.ErrNeedsRecovery) {
		t.Errorf("encrypting before the recovery: %v", err)
	}
	read := func(u pickletest.Message) {
		t.Helper()
		got, err := m.Decrypt(t.Context(), peer, ratchet.Message{Type: u.Type, Body: u.Body})
		if err != nil || string(got.Plaintext) != u.Text {
			t.Errorf("reads %q, %v, want %q", got.Plaintext, err, u.Text)
		}
	}
	read(long.Unread[0])
	if _, err := m.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, u := range long.Unread[1:] {
		read(u)
	}
	if _, err := m.Encrypt(t.Context(), peer, []byte("x")); !errors.Is(err, pawl.ErrNoSession) {
		t.Errorf("encrypting in a session that the old program may use: %v", err)
	}
	f := l.First[0]
	if _, err := m.Decrypt(t.Context(), pickletest.Key(t, f.Peer), ratchet.Message{Type: f.Message.Type, Body: f.Message.Body}); err != nil {
		t.Errorf("a first message: %v", err)
	}
	if _, err := m.Encrypt(t.Context(), pickletest.Key(t, f.Peer), []byte("x")); !errors.Is(err, pawl.ErrNoSession) {
		t.Errorf("answering it in a session that the old program may have opened: %v", err)
	}
	whole(t, m)
}

// TestImportingTwiceChangesNothing, whatever happened in between.
func TestImportingTwiceChangesNothing(t *testing.T) {
	for _, retired := range []bool{true, false} {
		l := lives(t)[2]
		engine := smallest()
		store := open(t, engine)
		d := l.device(t)
		d.Retired = retired
		if _, err := store.Import(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		m := machineOf(t, store)
		for _, f := range l.First { // keys are used
			if _, err := m.Decrypt(t.Context(), pickletest.Key(t, f.Peer), ratchet.Message{Type: f.Message.Type, Body: f.Message.Body}); err != nil {
				t.Fatal(err)
			}
		}
		before := entries(t, engine)
		d.Retired, d.Digest = true, [32]byte{2}
		done, err := store.Import(t.Context(), d)
		if err != nil || !done.Before || done.NeedsRecovery == retired || done.RoomKeys.Same != 1 || done.Sessions != 0 {
			t.Errorf("imported %+v, %v", done, err)
		}
		if !maps.Equal(before, entries(t, engine)) {
			t.Error("importing again changed the store")
		}
		planned, err := store.PlanImport(t.Context(), d)
		if err != nil || !planned.Before {
			t.Errorf("planned %+v, %v", planned, err)
		}
	}
}

// importUntil imports, and nothing can be written any more after n commits.
func importUntil(t *testing.T, engine kv.Store, n int, d pawl.Import) error {
	t.Helper()
	open(t, engine) // the keyring is a commit of its own
	commits := 0
	failing := faulty.Wrap(engine, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op != faulty.Commit || len(c.Batch.Writes) == 0 {
			return nil
		}
		if commits++; commits > n {
			return kv.ErrUnavailable
		}
		return nil
	}})
	_, err := open(t, failing).Import(t.Context(), d)
	return err
}

// TestInterruptedAtEachCommit: it goes on with the same, and with nothing else, sends
// nothing before, and ends as if nothing had happened.
func TestInterruptedAtEachCommit(t *testing.T) {
	l := lives(t)[1]
	d := l.device(t)
	d.Retired = true
	for len(d.OneTimeKeys) < kv.FloorWrites+20 { // more than one commit takes
		d.OneTimeKeys = append(d.OneTimeKeys, pawl.ImportKey{Pair: ratchet.NewKeyPair(ratchet.PrivateKey{9, byte(len(d.OneTimeKeys))})})
	}
	for n := 0; ; n++ {
		engine := smallest()
		err := importUntil(t, engine, n, d)
		store := open(t, engine)
		if err == nil {
			if n < 5 {
				t.Fatalf("only %d commits", n)
			}
			checkEnd(t, store, l)
			return
		}
		if !errors.Is(err, kv.ErrUnavailable) {
			t.Fatalf("interrupted at commit %d: %v", n, err)
		}
		if m, err := store.Machine(t.Context(), user, name); err == nil {
			whole(t, m)
			if _, err := m.Encrypt(t.Context(), d.Sessions[0].Peer, []byte("x")); !errors.Is(err, pawl.ErrNeedsRecovery) {
				t.Errorf("encrypting in an import at commit %d: %v", n, err)
			}
			other := d
			other.Digest = [32]byte{7}
			if _, err := store.Import(t.Context(), other); !errors.Is(err, pawl.ErrImportBegun) {
				t.Errorf("another import at commit %d: %v, want ErrImportBegun", n, err)
			}
		}
		if _, err := store.Import(t.Context(), d); err != nil {
			t.Fatalf("going on from commit %d: %v", n, err)
		}
		checkEnd(t, store, l)
	}
}

func checkEnd(t *testing.T, store *pawl.Store, l life) {
	t.Helper()
	m := machineOf(t, store)
	whole(t, m)
	seen, err := m.Inspect(t.Context())
	if err != nil || seen.Recovery != "" || len(seen.Peers) != 3 || seen.Keys.Published != len(l.Account.Published) || seen.Keys.Fallback == 0 {
		t.Errorf("at the end: recovery %q, %d peers, %+v, %v", seen.Recovery, len(seen.Peers), seen.Keys, err)
	}
	talksOn(t, m, l.Sessions[2])
}

// TestRecoveredInBetween: what comes after a recovery only receives too.
func TestRecoveredInBetween(t *testing.T) {
	l := lives(t)[0]
	d := l.device(t)
	d.Retired = true
	engine := smallest()
	open(t, engine)
	commits := 0
	failing := faulty.Wrap(engine, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
			if commits++; commits > 2 { // the account, and its keys
				return kv.ErrUnavailable
			}
		}
		return nil
	}})
	if _, err := open(t, failing).Import(t.Context(), d); !errors.Is(err, kv.ErrUnavailable) {
		t.Fatal(err)
	}
	store := open(t, engine)
	m := machineOf(t, store)
	if _, err := m.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Import(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	whole(t, m)
	for _, s := range d.Sessions {
		if _, err := m.Encrypt(t.Context(), s.Peer, []byte("x")); !errors.Is(err, pawl.ErrNoSession) {
			t.Errorf("encrypting in a session that came after a recovery: %v", err)
		}
	}
}

func TestRefusals(t *testing.T) {
	l := lives(t)[0]
	for what, c := range map[string]struct {
		change func(*pawl.Import)
		want   error
	}{
		"session twice":       {func(d *pawl.Import) { d.Sessions = append(d.Sessions, d.Sessions[0]) }, pawl.ErrImport},
		"session of another":  {func(d *pawl.Import) { d.Sessions[1].Peer = d.Sessions[0].Peer }, pawl.ErrImport},
		"session with nobody": {func(d *pawl.Import) { d.Sessions[0].Peer = ratchet.PublicKey{} }, pawl.ErrImport},
		"no session":          {func(d *pawl.Import) { d.Sessions[0].Ratchet = ratchet.Session{} }, pawl.ErrImport},
		"key twice":           {func(d *pawl.Import) { d.OneTimeKeys = append(d.OneTimeKeys, d.OneTimeKeys[0]) }, pawl.ErrImport},
		"no key":              {func(d *pawl.Import) { d.OneTimeKeys[0].Pair = ratchet.KeyPair{} }, pawl.ErrImport},
		"no identity":         {func(d *pawl.Import) { d.Identity = ratchet.KeyPair{} }, account.ErrFormat},
		"ids used up":         {func(d *pawl.Import) { d.LastKeyID = 1<<32 - 1 }, otk.ErrExhausted},
		"long name":           {func(d *pawl.Import) { d.Program = string(make([]byte, 65)) }, pawl.ErrImport},
	} {
		engine := smallest()
		store := open(t, engine)
		before := entries(t, engine)
		d := l.device(t)
		c.change(&d)
		if _, err := store.Import(t.Context(), d); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if _, err := d.Plan(); !errors.Is(err, c.want) {
			t.Errorf("%s, planned: %v, want %v", what, err, c.want)
		}
		if !maps.Equal(before, entries(t, engine)) {
			t.Errorf("%s: it wrote something", what)
		}
	}
}

// TestAnAccountOfOurOwnStays: nothing takes the place of an account that was made here.
func TestAnAccountOfOurOwnStays(t *testing.T) {
	engine := smallest()
	store := open(t, engine)
	if _, err := store.Create(t.Context(), user, name); err != nil {
		t.Fatal(err)
	}
	before := entries(t, engine)
	if _, err := store.Import(t.Context(), lives(t)[0].device(t)); !errors.Is(err, pawl.ErrAccountExists) {
		t.Errorf("%v, want ErrAccountExists", err)
	}
	if !maps.Equal(before, entries(t, engine)) {
		t.Error("it wrote something")
	}
}
