package vodozemac

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/internal/pickle/pickletest"
	"github.com/pawlkv/pawl/internal/testfiles"
)

func lives(tb testing.TB) []pickletest.Life { return pickletest.Lives(tb, "testdata/life") }

func TestLivesAreRead(t *testing.T) {
	for _, l := range lives(t) {
		t.Run(l.Name, func(t *testing.T) {
			plain := mustAccount(t, l, l.Account.Pickle)
			pickletest.CheckAccount(t, plain, l.Account)
			pickletest.CheckAccount(t, mustAccount(t, l, l.Account.ExpandedPickle), l.Account)
			if plain.LastID != 0 || plain.OneTimeKeys[0].ID != 0 {
				t.Errorf("keys have ids up to %v, want none", plain.LastID)
			}
			// vodozemac writes the same account in libolm's form too.
			other, err := libolm.Account(l.Key, l.Account.LibolmPickle)
			if err != nil {
				t.Fatal(err)
			}
			pickletest.CheckAccount(t, other, l.Account)
			for _, s := range l.Sessions {
				got, err := Session(l.Key, s.Pickle, plain.Identity.Public())
				if err != nil {
					t.Fatalf("%s: %v", s.Name, err)
				}
				pickletest.CheckSession(t, got, s)
			}
			checkGroups(t, l)
		})
	}
}

func mustAccount(t *testing.T, l pickletest.Life, pickled string) pickle.Account {
	t.Helper()
	a, err := Account(l.Key, pickled)
	if err != nil {
		t.Fatal(err)
	}
	return a
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

// forms are all that is read, by name, each with a good pickle.
func forms(tb testing.TB) (l pickletest.Life, all map[string]form) {
	l = lives(tb)[0]
	ours := pickletest.Key(tb, l.Account.Curve25519)
	return l, map[string]form{
		"account":  {l.Account.Pickle, func(key []byte, p string) error { _, err := Account(key, p); return err }},
		"session":  {l.Sessions[2].Pickle, func(key []byte, p string) error { _, err := Session(key, p, ours); return err }},
		"inactive": {l.Sessions[1].Pickle, func(key []byte, p string) error { _, err := Session(key, p, ours); return err }},
		"inbound":  {l.Inbound.Pickle, func(key []byte, p string) error { _, err := Inbound(key, p); return err }},
		"outbound": {l.Outbound.Pickle, func(key []byte, p string) error { _, err := Outbound(key, p); return err }},
	}
}

type form struct {
	good string
	read func(key []byte, pickled string) error
}

func TestRefusals(t *testing.T) {
	l, all := forms(t)
	wrong := bytes.Clone(l.Key)
	wrong[31] ^= 1
	for name, f := range all {
		content := string(pickletest.Content(t, l.Key, f.good))
		edit := func(old, new string) string {
			if !strings.Contains(content, old) {
				t.Fatalf("%s: no %s to edit", name, old)
			}
			return pickletest.Seal(l.Key, []byte(strings.Replace(content, old, new, 1)))
		}
		for what, c := range map[string]struct {
			key     []byte
			pickled string
			want    error
		}{
			"good":               {l.Key, f.good, nil},
			"padded":             {l.Key, f.good + strings.Repeat("=", (4-len(f.good)%4)%4), nil},
			"another key":        {wrong, f.good, pickle.ErrKey},
			"short key":          {l.Key[:31], f.good, pickle.ErrKey},
			"changed":            {l.Key, "A" + f.good[1:], pickle.ErrKey},
			"cut off":            {l.Key, f.good[:len(f.good)-5], pickle.ErrDamaged},
			"not base64":         {l.Key, "?" + f.good[1:], pickle.ErrDamaged},
			"empty":              {l.Key, "", pickle.ErrDamaged},
			"too long":           {l.Key, strings.Repeat("A", pickle.MaxSize+1), pickle.ErrDamaged},
			"not JSON":           {l.Key, pickletest.Seal(l.Key, []byte(content[:len(content)-1])), pickle.ErrDamaged},
			"two values":         {l.Key, pickletest.Seal(l.Key, []byte(content+"{}")), pickle.ErrDamaged},
			"of libolm":          {l.Key, pickletest.Seal(l.Key, []byte{0, 0, 0, 4}), pickle.ErrVersion},
			"nothing":            {l.Key, pickletest.Seal(l.Key, []byte("{}")), pickle.ErrVersion},
			"a byte too large":   {l.Key, edit("[", "[256,"), pickle.ErrDamaged},
			"a byte too many":    {l.Key, edit("[", "[1,"), pickle.ErrDamaged},
			"a member more":      {l.Key, edit("{", `{"more":1,`), pickle.ErrVersion},
			"another type":       {l.Key, edit(":", `:"x" `), pickle.ErrDamaged},
			"a null for a value": {l.Key, pickletest.Seal(l.Key, []byte("null")), pickle.ErrVersion},
		} {
			if err := f.read(c.key, c.pickled); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v, want %v", name, what, err, c.want)
			}
		}
	}
}

func TestEditedContents(t *testing.T) {
	l, all := forms(t)
	for _, c := range []struct {
		form, old, new string
		want           error
	}{
		{"account", `"next_key_id"`, `"key_id"`, pickle.ErrVersion}, // as before 0.9
		{"account", `{"Normal"`, `{"Other"`, pickle.ErrVersion},
		{"account", `"public_keys":{"8":[`, `"public_keys":{"9":[1],"8":[`, pickle.ErrDamaged},
		{"account", `"public_keys":{"8":`, `"public_keys":{"2":`, pickle.ErrDamaged}, // of another key
		{"session", `"version":"V1"`, `"version":"V2"`, pickle.ErrVersion},
		{"session", `,"config":{"version":"V1"}`, ``, nil},
		{"session", `"type":"active"`, `"type":"idle"`, pickle.ErrVersion},
		{"session", `"index":1}}`, `"index":4294967296}}`, pickle.ErrDamaged},
		{"session", `"index":5}`, `"index":2}`, pickle.ErrDamaged}, // behind its skipped keys
		{"session", `"hkdf_ratchet"`, `"more"`, pickle.ErrVersion},
		{"inactive", `"receiving_chains":{"inner":[`, `"receiving_chains":{"inner":null,"x":[`, pickle.ErrVersion},
		{"inbound", `"signing_key_verified":true,`, ``, pickle.ErrVersion},
		{"inbound", `"counter":3`, `"counter":4294967296`, pickle.ErrDamaged},
		{"outbound", `"config":{"version":"V1"}`, `"config":{"version":"V2"}`, pickle.ErrVersion},
	} {
		content := string(pickletest.Content(t, l.Key, all[c.form].good))
		if !strings.Contains(content, c.old) {
			t.Fatalf("%s has no %s", c.form, c.old)
		}
		edited := strings.Replace(content, c.old, c.new, 1)
		if err := all[c.form].read(l.Key, pickletest.Seal(l.Key, []byte(edited))); !errors.Is(err, c.want) {
			t.Errorf("%s with %s for %s: %v, want %v", c.form, c.new, c.old, err, c.want)
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
// errors, or reads, and never says what was in it.
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
