package pawlmautrix

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/pickle/pickletest"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// lifeFixture is a database whose pickles another implementation made.
type lifeFixture struct {
	*fixture
	pickletest.Life
}

func newLifeFixture(t *testing.T, l pickletest.Life) lifeFixture {
	t.Helper()
	f := lifeFixture{newFixture(t, liteFile(t), "SQLite"), l}
	f.exec("DELETE FROM crypto_olm_session")
	f.exec("DELETE FROM crypto_megolm_inbound_session")
	f.exec("UPDATE crypto_account SET account=$1", []byte(l.Account.Pickle))
	f.exec("UPDATE crypto_secrets SET secret=$1", []byte(pickletest.Seal(l.Key, []byte(longSecret))))
	for i, s := range l.Sessions {
		f.exec("INSERT INTO crypto_olm_session (account_id, session_id, sender_key, session, created_at, last_decrypted, last_encrypted) VALUES ('', $1, $2, $3, $4, $4, $4)",
			fmt.Sprint("session ", i), s.Peer, []byte(s.Pickle), "2030-01-02 03:04:05.6+00:00")
	}
	f.exec("INSERT INTO crypto_megolm_inbound_session (account_id, session_id, sender_key, signing_key, room_id, session, key_source) VALUES ('', $1, $2, $3, $4, $5, 'direct')",
		l.Inbound.ID, l.Sessions[0].Peer, l.Account.Ed25519, string(fixtureRoom), []byte(l.Inbound.Pickle))
	return f
}

// longSecret fills several blocks.
const longSecret = "a secret of several blocks, one of which may be cut off its pickle, or even two"

func lives(t *testing.T) []pickletest.Life {
	return pickletest.Lives(t, "../internal/pickle/libolm/testdata/life")
}

func (f lifeFixture) readWith(key []byte) (DatabaseDevice, error) {
	return ReadDatabase(f.t.Context(), f.raw, DatabaseImport{PickleKey: key, User: alice})
}

// file is a digest of the database.
func (f lifeFixture) file() [32]byte {
	f.t.Helper()
	text, err := os.ReadFile(f.texts("SELECT file FROM pragma_database_list")[0])
	f.must(err)
	return sha256.Sum256(text)
}

// Pickles that libolm made are read as goolm's are.
func TestDatabaseOfLibolm(t *testing.T) {
	for _, l := range lives(t) {
		f := newLifeFixture(t, l)
		d, err := f.readWith(l.Key)
		if err != nil || len(d.Unread) > 0 || len(d.Import.Sessions) != len(l.Sessions) || len(d.Import.RoomKeys) != 1 || d.Secrets != 1 ||
			d.Import.Identity.Public().String() != l.Account.Curve25519 {
			t.Errorf("%s: %+v, %v", l.Name, d.Unread, err)
			continue
		}
		if at := d.Import.Sessions[0].Created; at.Unix() != 1893553445 {
			t.Errorf("%s: a session was made at %v", l.Name, at)
		}
	}
}

// pickleDamages are what may have become of a pickle: of its text, or of what is in it.
var pickleDamages = []struct {
	name   string
	change func(key []byte, pickled string, content []byte) string
	want   error
	says   string
	inside bool // what is in a secret may be anything
}{
	{"empty", func([]byte, string, []byte) string { return "" }, pawl.ErrPickleDamaged, "not base64 of whole blocks and a MAC", false},
	{"no base64", func(_ []byte, p string, _ []byte) string { return "!" + p[1:] }, pawl.ErrPickleDamaged, "not base64 of whole blocks and a MAC", false},
	{"cut", func(_ []byte, p string, _ []byte) string { return p[:len(p)-4] }, pawl.ErrPickleDamaged, "not base64 of whole blocks and a MAC", false},
	{"cut by blocks", func(_ []byte, p string, _ []byte) string { return p[:len(p)-64] }, pawl.ErrPickleDamaged, "was changed", false},
	{"one letter", func(_ []byte, p string, _ []byte) string { return p[:20] + otherLetter(p[20]) + p[21:] }, pawl.ErrPickleDamaged, "was changed", false},
	{"another key", func(_ []byte, _ string, c []byte) string { return pickletest.Seal([]byte("another"), c) }, pawl.ErrPickleDamaged, "was changed", false},
	{"an unknown version", func(key []byte, _ string, c []byte) string {
		return pickletest.Seal(key, append(binary.BigEndian.AppendUint32(nil, 99), c[4:]...))
	}, pawl.ErrPickleVersion, "of version", true},
	{"vodozemac's form", func(key []byte, _ string, _ []byte) string { return pickletest.Seal(key, []byte(`{"keys":{}}`)) }, pawl.ErrPickleVersion, "that is vodozemac's form", true},
	{"cut inside", func(key []byte, _ string, c []byte) string { return pickletest.Seal(key, c[:len(c)-2]) }, pawl.ErrPickleDamaged, "cut off", true},
	{"longer inside", func(key []byte, _ string, c []byte) string {
		return pickletest.Seal(key, append(bytes.Clone(c), 0))
	}, pawl.ErrPickleDamaged, "1 bytes after the end", true},
}

func otherLetter(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// Without the account there is no device: whatever is wrong with its pickle is one error
// that tells no key, nothing is returned that could be imported, and the database stays
// as it is.
func TestLibolmAccountThatCannotBeRead(t *testing.T) {
	for _, l := range lives(t) {
		f := newLifeFixture(t, l)
		refused := func(what string, key []byte, want error, says ...string) {
			t.Helper()
			before := f.file()
			d, err := f.readWith(key)
			if !errors.Is(err, want) || d.Schema != 0 || len(d.Import.Sessions)+len(d.Import.RoomKeys)+len(d.Import.Extras) > 0 {
				t.Errorf("%s, %s: %v, want %v and no device", l.Name, what, err, want)
				return
			}
			for _, text := range says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%s, %s: %v, want %q", l.Name, what, err, text)
				}
			}
			if strings.Contains(err.Error(), string(l.Key)) {
				t.Errorf("%s, %s: the error tells the key", l.Name, what)
			}
			if f.file() != before {
				t.Errorf("%s, %s: the database was changed", l.Name, what)
			}
		}
		refused("a wrong key", []byte("wrong"), pawl.ErrPickleKey, "it opens nothing in the database", PickleKeys[0], PickleKeys[1])
		refused("no key", nil, pawl.ErrPickleKey, PickleKeys[0])
		content := pickletest.Content(t, l.Key, l.Account.Pickle)
		for _, d := range pickleDamages {
			f.exec("UPDATE crypto_account SET account=$1", []byte(d.change(l.Key, l.Account.Pickle, content)))
			refused(d.name, l.Key, d.want, "the account", d.says)
		}
	}
}

// A row whose pickle cannot be read is listed with the reason, and all others are
// imported: the account is whole then.
func TestLibolmRowsThatCannotBeRead(t *testing.T) {
	for _, l := range lives(t) {
		f := newLifeFixture(t, l)
		whole, err := f.readWith(l.Key)
		f.must(err)
		secret := pickletest.Seal(l.Key, []byte(longSecret))
		for table, c := range map[string]struct{ column, where, pickled, row string }{
			"crypto_olm_session":            {"session", "session_id='session 0'", l.Sessions[0].Pickle, l.Sessions[0].Peer + " session 0"},
			"crypto_megolm_inbound_session": {"session", "true", l.Inbound.Pickle, string(fixtureRoom) + " " + l.Inbound.ID},
			"crypto_secrets":                {"secret", "true", secret, "m.cross_signing.master"},
		} {
			set := fmt.Sprintf("UPDATE %s SET %s=$1 WHERE %s", table, c.column, c.where)
			content := pickletest.Content(t, l.Key, c.pickled)
			for _, damage := range pickleDamages {
				if damage.inside && c.column == "secret" {
					continue
				}
				f.exec(set, []byte(damage.change(l.Key, c.pickled, content)))
				what := fmt.Sprintf("%s, %s of %s", l.Name, damage.name, table)
				before := f.file()
				d, err := f.readWith(l.Key)
				f.must(err)
				if len(d.Unread) != 1 || d.Unread[0].Table != table || d.Unread[0].Row != c.row ||
					!errors.Is(d.Unread[0].Err, damage.want) || !strings.Contains(d.Unread[0].Err.Error(), damage.says) {
					t.Errorf("%s: %+v are listed, want %q with %q", what, d.Unread, c.row, damage.says)
				}
				lost := table != "crypto_secrets"
				if got := len(d.Import.Sessions) + len(d.Import.RoomKeys); lost && got != len(whole.Import.Sessions)+len(whole.Import.RoomKeys)-1 ||
					!lost && d.Secrets != whole.Secrets-1 {
					t.Errorf("%s: %d sessions and room keys and %d secrets are read", what, got, d.Secrets)
				}
				if f.file() != before {
					t.Errorf("%s: the database was changed", what)
				}
				f.isWhole(what, d.Import)
			}
			f.exec(set, []byte(c.pickled))
		}
	}
}

// isWhole fails the test unless a device can be imported.
func (f lifeFixture) isWhole(what string, d pawl.Import) {
	f.t.Helper()
	p, err := pawl.Open(f.t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
	f.must(err)
	if _, err := p.Import(f.t.Context(), d); err != nil {
		f.t.Errorf("%s: %v", what, err)
		return
	}
	m, err := p.Machine(f.t.Context(), matrix.UserID(alice), matrix.DeviceID(phone))
	f.must(err)
	if broken, err := m.Check(f.t.Context()); err != nil || len(broken) > 0 {
		f.t.Errorf("%s: the account is broken: %q, %v", what, broken, err)
	}
}
