package libolm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/pickle/pickletest"
	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/otk"
)

func lives(tb testing.TB) []pickletest.Life { return pickletest.Lives(tb, "testdata/life") }

func TestLivesAreRead(t *testing.T) {
	for _, l := range lives(t) {
		t.Run(l.Name, func(t *testing.T) {
			a, err := Account(l.Key, l.Account.Pickle)
			if err != nil {
				t.Fatal(err)
			}
			pickletest.CheckAccount(t, a, l.Account)
			if a.LastID != otk.ID(l.Account.LastID) {
				t.Errorf("last id %d, want %d", a.LastID, l.Account.LastID)
			}
			ids := func(a, b pickle.Key) int { return int(a.ID) - int(b.ID) }
			if !slices.IsSortedFunc(a.OneTimeKeys, ids) || a.OneTimeKeys[0].ID == a.OneTimeKeys[1].ID {
				t.Error("one-time keys are not in the order of their ids")
			}
			for _, s := range l.Sessions {
				got, err := Session(l.Key, s.Pickle, a.Identity.Public())
				if err != nil {
					t.Fatalf("%s: %v", s.Name, err)
				}
				pickletest.CheckSession(t, got, s)
				indexed := behind(t, l, s.Pickle, 0x80000001, []byte{0, 0, 0, 7})
				if again, err := Session(l.Key, indexed, a.Identity.Public()); err != nil || again.ID() != got.ID() {
					t.Errorf("of version 0x80000001: %v", err)
				}
			}
			checkGroups(t, l)
		})
	}
}

func checkGroups(t *testing.T, l pickletest.Life) {
	t.Helper()
	for pickled, signed := range map[string]bool{l.Inbound.Pickle: true, l.Inbound.ImportedPickle: false} {
		in, err := Inbound(l.Key, pickled)
		if err != nil || in.Signed != signed {
			t.Fatalf("signed %v, %v, want %v", in.Signed, err, signed)
		}
		pickletest.CheckGroup(t, in.Key, l.Inbound)
	}
	out, err := Outbound(l.Key, l.Outbound.Pickle)
	if err != nil {
		t.Fatal(err)
	}
	pickletest.CheckGroup(t, out.Key, l.Outbound)
}

// behind is a pickle with another version, and more at its end.
func behind(tb testing.TB, l pickletest.Life, pickled string, version uint32, more []byte) string {
	tb.Helper()
	content := pickletest.Content(tb, l.Key, pickled)
	binary.BigEndian.PutUint32(content, version)
	return pickletest.Seal(l.Key, append(content, more...))
}

// Places in the content of an account of version 4.
const (
	publicAt = 4 + 32 + 64
	listAt   = publicAt + 64
)

// TestOlderAccounts reads the forms of before there were fallback keys, and of when
// there were always two places for them. libolm itself reads them so too: see
// TestOlderPicklesAreLibolms in internal/proof/interop.
func TestOlderAccounts(t *testing.T) {
	l := lives(t)[0]
	content := pickletest.Content(t, l.Key, l.Account.Pickle)
	n := int(binary.BigEndian.Uint32(content[listAt:]))
	fallbackAt := listAt + 4 + n*keySize
	last := content[len(content)-4:]
	version := func(v uint32, fallbacks ...[]byte) string {
		b := binary.BigEndian.AppendUint32(nil, v)
		b = append(b, content[4:fallbackAt]...)
		return pickletest.Seal(l.Key, slices.Concat(b, slices.Concat(fallbacks...), last))
	}
	current := content[fallbackAt+1 : fallbackAt+1+keySize]
	previous := content[fallbackAt+1+keySize:][:keySize]
	none := make([]byte, keySize)
	unpublished := bytes.Clone(previous)
	unpublished[4] = 0
	for what, c := range map[string]struct {
		pickled string
		want    int
	}{
		"version 2":                          {version(2), 0},
		"version 3, two":                     {version(3, current, previous), 2},
		"version 3, one":                     {version(3, current, none), 1},
		"version 3, one and a rest":          {version(3, current, unpublished), 1},
		"version 3, none":                    {version(3, none, none), 0},
		"version 3, none but a previous one": {version(3, none, previous), 0},
	} {
		a, err := Account(l.Key, c.pickled)
		if err != nil || len(a.Fallbacks) != c.want || len(a.OneTimeKeys) != n {
			t.Errorf("%s: %d fallback keys, %d one-time keys, %v, want %d, %d", what, len(a.Fallbacks), len(a.OneTimeKeys), err, c.want, n)
		}
	}
	// Whatever the counter says, no id that a key has is given out again.
	lowered := bytes.Clone(content)
	binary.BigEndian.PutUint32(lowered[len(lowered)-4:], 0)
	a, err := Account(l.Key, pickletest.Seal(l.Key, lowered))
	if err != nil || a.LastID < a.OneTimeKeys[len(a.OneTimeKeys)-1].ID || a.LastID < a.Fallbacks[0].ID {
		t.Errorf("last id %v, %v, below a key's", a.LastID, err)
	}
}

type form struct {
	good   string
	oldest []uint32 // versions that are refused by name
	read   func(key []byte, pickled string) error
}

// forms are all that is read, by name, each with a good pickle.
func forms(tb testing.TB) (l pickletest.Life, all map[string]form) {
	l = lives(tb)[1]
	ours := pickletest.Key(tb, l.Account.Curve25519)
	return l, map[string]form{
		"account":  {l.Account.Pickle, []uint32{0, 1, 5}, func(key []byte, p string) error { _, err := Account(key, p); return err }},
		"session":  {l.Sessions[2].Pickle, []uint32{0, 2, 0x80000002}, func(key []byte, p string) error { _, err := Session(key, p, ours); return err }},
		"inbound":  {l.Inbound.Pickle, []uint32{0, 1, 3}, func(key []byte, p string) error { _, err := Inbound(key, p); return err }},
		"outbound": {l.Outbound.Pickle, []uint32{0, 2}, func(key []byte, p string) error { _, err := Outbound(key, p); return err }},
	}
}

func TestRefusals(t *testing.T) {
	l, all := forms(t)
	wrong := append(bytes.Clone(l.Key), 0)
	for name, f := range all {
		content := pickletest.Content(t, l.Key, f.good)
		for what, c := range map[string]struct {
			key     []byte
			pickled string
			want    error
		}{
			"good":          {l.Key, f.good, nil},
			"another key":   {wrong, f.good, pickle.ErrKey},
			"no key":        {nil, f.good, pickle.ErrKey},
			"changed":       {l.Key, "A" + f.good[1:], pickle.ErrKey},
			"cut off":       {l.Key, f.good[:len(f.good)-5], pickle.ErrDamaged},
			"not base64":    {l.Key, "?" + f.good[1:], pickle.ErrDamaged},
			"empty":         {l.Key, "", pickle.ErrDamaged},
			"empty content": {l.Key, pickletest.Seal(l.Key, nil), pickle.ErrDamaged},
			"bytes after":   {l.Key, pickletest.Seal(l.Key, append(bytes.Clone(content), 0)), pickle.ErrDamaged},
			"a byte less":   {l.Key, pickletest.Seal(l.Key, content[:len(content)-1]), pickle.ErrDamaged},
			"in JSON":       {l.Key, pickletest.Seal(l.Key, []byte("{}")), pickle.ErrVersion},
		} {
			if err := f.read(c.key, c.pickled); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v, want %v", name, what, err, c.want)
			}
		}
		for _, v := range f.oldest {
			if err := f.read(l.Key, behind(t, l, f.good, v, nil)); !errors.Is(err, pickle.ErrVersion) {
				t.Errorf("%s of version %d: %v, want ErrVersion", name, v, err)
			}
		}
	}
}

// TestEveryCutIsRefused cuts each content at each place.
func TestEveryCutIsRefused(t *testing.T) {
	l, all := forms(t)
	for name, f := range all {
		content := pickletest.Content(t, l.Key, f.good)
		for n := range content {
			if err := f.read(l.Key, pickletest.Seal(l.Key, content[:n])); !errors.Is(err, pickle.ErrDamaged) {
				t.Fatalf("%s cut at %d: %v, want ErrDamaged", name, n, err)
			}
		}
	}
}

func TestDamagedContents(t *testing.T) {
	l, all := forms(t)
	for _, c := range []struct {
		form  string
		at    int
		bytes []byte
	}{
		{"account", 4, []byte{1}},                               // Ed25519 public
		{"account", publicAt, []byte{1}},                        // Curve25519 public
		{"account", listAt, []byte{0xff, 0xff, 0xff, 0xff}},     // a list longer than all memory
		{"account", listAt, []byte{0, 0, 0x13, 0x89}},           // 5001
		{"account", listAt + 4 + 4, []byte{2}},                  // published: 2
		{"account", listAt + 4 + 4 + 1, []byte{1, 2, 3}},        // a one-time key's public part
		{"session", 4, []byte{2}},                               // received: 2
		{"session", 4 + 1 + 4*32, []byte{0, 0, 0, 2}},           // two chains to send
		{"session", 4 + 1 + 4*32 + 4, []byte{1}},                // its ratchet key's public part
		{"session", 4 + 1 + 4*32 + 4 + 100, []byte{0, 0, 0, 6}}, // six to receive
		{"inbound", 4 + 2*(128+4) + 32, []byte{7}},              // signed: 7
		{"outbound", 4 + 128 + 4, []byte{1}},                    // Ed25519 public
	} {
		content := pickletest.Content(t, l.Key, all[c.form].good)
		copy(content[c.at:], c.bytes)
		if err := all[c.form].read(l.Key, pickletest.Seal(l.Key, content)); !errors.Is(err, pickle.ErrDamaged) {
			t.Errorf("%s with %x at %d: %v, want ErrDamaged", c.form, c.bytes, c.at, err)
		}
	}
}

func TestCorpusIsCommitted(t *testing.T) {
	l, all := forms(t)
	seeds := map[string][]byte{}
	for name, f := range all {
		content := pickletest.Content(t, l.Key, f.good)
		seeds["accept-"+name] = content
		seeds["refuse-cut-"+name] = content[:len(content)/2]
		seeds["refuse-longer-"+name] = append(content, '{')
	}
	testfiles.Corpus(t, "FuzzContent", seeds)
}

// FuzzContent reads whatever may stand behind the MAC: it fails with one of the
// errors, or reads.
func FuzzContent(f *testing.F) {
	l, all := forms(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		sealed := pickletest.Seal(l.Key, content)
		for name, one := range all {
			err := one.read(l.Key, sealed)
			if err != nil && !errors.Is(err, pickle.ErrDamaged) && !errors.Is(err, pickle.ErrVersion) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
