package sharekv_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

func open(t *testing.T, dir string, options ...sharekv.Option) *sharekv.Store {
	t.Helper()
	store, err := sharekv.Open(dir, sharetest.Journal{}, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func put(t *testing.T, store kv.Store, key, value string) {
	t.Helper()
	b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
	if _, err := store.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// TestOtherVersion refuses a process that speaks no version of ours.
func TestOtherVersion(t *testing.T) {
	dir := sharetest.NewDir(t)
	open(t, dir)
	_, err := sharekv.Open(dir, sharetest.Journal{}, sharekv.WithVersions(7, 8))
	if !errors.Is(err, kv.ErrNewer) || !strings.Contains(err.Error(), "update the older") {
		t.Errorf("%v, want kv.ErrNewer and what to do", err)
	}
	next := open(t, dir, sharekv.WithVersions(1, 2))
	put(t, next, "a", "1")
}

// alone is the transport of a system where processes cannot share.
type alone struct{}

func (alone) Listen(*sharekv.Place) (net.Listener, error) { return nil, errors.ErrUnsupported }

func (alone) Dial(context.Context, string) (net.Conn, error) { return nil, errors.ErrUnsupported }

// TestUnshared: where processes cannot share a store the second one is refused,
// and the next after the first has closed it is not.
func TestUnshared(t *testing.T) {
	dir := sharetest.NewDir(t)
	first := open(t, dir, sharekv.WithTransport(alone{}))
	if _, err := sharekv.Open(dir, sharetest.Journal{}, sharekv.WithTransport(alone{})); !errors.Is(err, kv.ErrInUse) {
		t.Errorf("%v, want kv.ErrInUse", err)
	}
	put(t, first, "a", "1")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, dir, sharekv.WithTransport(alone{})), "a", "2")
}

// strangers is a transport at whose other end there is always another user.
type strangers struct{ *sharetest.Pipes }

func (strangers) Dial(context.Context, string) (net.Conn, error) { return nil, sharekv.ErrStranger }

// TestStranger: an owner of another user is not asked twice.
func TestStranger(t *testing.T) {
	dir := sharetest.NewDir(t)
	pipes := new(sharetest.Pipes)
	open(t, dir, sharekv.WithTransport(pipes))
	_, err := sharekv.Open(dir, sharetest.Journal{}, sharekv.WithTransport(strangers{pipes}))
	if !errors.Is(err, sharekv.ErrStranger) || !errors.Is(err, kv.ErrUnusable) || errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("%v, want ErrStranger, which does not pass by waiting", err)
	}
}

// TestOpenFails: what the opener says is returned, and the lock is given back.
func TestOpenFails(t *testing.T) {
	broken := errors.New("broken")
	dir := sharetest.NewDir(t)
	for name, opener := range map[string]failing{
		"identify": {identify: broken}, "prepare": {prepare: broken}, "open": {open: broken},
	} {
		if _, err := sharekv.Open(dir, opener); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want what the opener says", name, err)
		}
	}
	put(t, open(t, dir), "a", "1")
}

// failing is a Journal whose methods fail.
type failing struct {
	sharetest.Journal
	identify, prepare, open error
}

func (f failing) Identify(dir string) (sharekv.ID, error) {
	if f.identify != nil {
		return sharekv.ID{}, f.identify
	}
	return f.Journal.Identify(dir)
}

func (f failing) Prepare(place *sharekv.Place) error {
	return errors.Join(f.prepare, f.Journal.Prepare(place))
}

func (f failing) Open(place *sharekv.Place) (sharekv.LocalEngine, error) {
	if f.open != nil {
		return nil, f.open
	}
	return f.Journal.Open(place)
}

// TestMissingParent does not make more than the directory itself.
func TestMissingParent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing", "store")
	if _, err := sharekv.Open(dir, sharetest.Journal{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
}

// TestModes: nobody else may enter the directory or use what is ours in it.
func TestModes(t *testing.T) {
	dir := sharetest.NewDir(t)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	for name, want := range map[string]fs.FileMode{".": 0o700, "pawl.lock": 0o600, "pawl.sock": 0o600} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), want)
		}
	}
}

// TestAnotherStoreInItsPlace: a store that was closed for a while does not go on
// with another that has come into its directory.
func TestAnotherStoreInItsPlace(t *testing.T) {
	dir, other := sharetest.NewDir(t), sharetest.NewDir(t)
	first := open(t, dir)
	put(t, first, "a", "first")
	if err := first.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := open(t, other)
	put(t, second, "a", "second")
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	moved, aside := dir, dir+"-aside"
	if err := errors.Join(os.Rename(dir, aside), os.Rename(other, moved)); err != nil {
		t.Fatal(err)
	}
	view := first.Snapshot()
	defer view.Close()
	if entries, err := view.Get(t.Context(), "a"); err == nil {
		t.Errorf("the other store is read: %q", entries[0].Value)
	}
	b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "b"}}}
	if _, err := first.Commit(t.Context(), b); err == nil {
		t.Error("the other store is written to")
	}
	if err := errors.Join(os.Rename(moved, other), os.Rename(aside, dir)); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, other), "c", "untouched")
}

// TestWhatGuestsSendIsChecked: limits are the owner's, whatever a guest thinks.
func TestWhatGuestsSendIsChecked(t *testing.T) {
	dir := sharetest.NewDir(t)
	owner, err := sharekv.Open(dir, trusting{t: t})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { owner.Close() })
	conn, err := sharekv.UnixSocket{}.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	boundless := kv.Embedded()
	boundless.Writes *= 2
	guest, err := wire.Connect(t.Context(), conn, wire.Settings{Limits: boundless})
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	b := &kv.Batch{ID: kv.NewCommitID(0)}
	for i := range kv.EmbeddedWrites + 1 {
		b.Writes = append(b.Writes, kv.Write{Key: strconv.Itoa(i)})
	}
	if _, err := guest.Commit(t.Context(), b); !errors.Is(err, kv.ErrTooLarge) {
		t.Errorf("more than the owner takes: %v, want %v", err, kv.ErrTooLarge)
	}
}

// trusting is a Journal with an engine that rests on what it gets being checked.
type trusting struct {
	sharetest.Journal
	t *testing.T
}

func (o trusting) Open(place *sharekv.Place) (sharekv.LocalEngine, error) {
	engine, err := o.Journal.Open(place)
	return trustingEngine{engine, o.t}, err
}

type trustingEngine struct {
	sharekv.LocalEngine
	t *testing.T
}

func (e trustingEngine) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(kv.Embedded()); err != nil {
		e.t.Errorf("the engine gets what nobody has checked: %v", err)
	}
	return e.LocalEngine.Commit(ctx, b)
}
