package pawl_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/txn/seal"
)

var makeRecords = flag.Bool("records.make", false, "add to vectors/records/records.json what it lacks")

// unread is what vectors/records leaves out: the keyring, of which there are others.
var unread = []string{"keyring"}

// samplesOfKind is how many records of a version of a kind are kept, of those that
// differ in length.
const samplesOfKind = 3

// recordsFile are the vectors; docs/port/records.md.
const recordsFile = "vectors/records/records.json"

type recordVectors struct {
	Format      int               `json:"format"`
	Kind        string            `json:"kind"`
	Description string            `json:"description"`
	Origin      map[string]string `json:"origin"`
	Expect      []string          `json:"expect"`
	Vectors     []recordVector    `json:"vectors"`
}

type recordVector struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Record string `json:"record"`
	Fields any    `json:"fields,omitempty"`
	Expect string `json:"expect"`
}

// layout is a version of a kind of record.
type layout struct {
	kind    string
	version byte
}

func (l layout) String() string { return fmt.Sprintf("%s, version %d", l.kind, l.version) }

// TestRecordVectors: there are vectors of every version of every kind that docs/format.md
// lists, and it lists all that clients leave.
func TestRecordVectors(t *testing.T) {
	samples := sampled(t)
	var file recordVectors
	text, err := os.ReadFile(recordsFile)
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil && !*makeRecords {
		t.Fatal(err)
	}
	if *makeRecords {
		file.add(t, samples)
		if err := os.WriteFile(recordsFile, file.encode(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	listed, has := layouts(t), file.layouts(t)
	for _, l := range listed {
		if samples[l] == nil {
			t.Errorf("%v: nobody here leaves a record of it", l)
		}
		if !has[l] {
			t.Errorf("%v: there are no vectors: go test -run TestRecordVectors . -records.make", l)
		}
	}
	for l := range samples {
		if !slices.Contains(listed, l) {
			t.Errorf("%v: there are records of it, and docs/format.md does not list it", l)
		}
	}
	for _, k := range records.Kinds() {
		if k.Records != nil && !slices.ContainsFunc(listed, func(l layout) bool { return l.kind == k.Records.Kind }) { // one is a rule alone
			t.Errorf("docs/format.md does not list the kind %s", k.Records.Kind)
		}
	}
}

// layouts are those of the table of kinds in docs/format.md.
func layouts(t *testing.T) (all []layout) {
	t.Helper()
	text, err := os.ReadFile("docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| kind | id segments | what | versions |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(row, "| \n"), " | ")
		for _, kind := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(cells[0], -1) {
			for _, version := range strings.Split(cells[len(cells)-1], ", ") {
				n, err := strconv.ParseUint(version, 10, 8)
				if err != nil || slices.Contains(unread, kind[1]) {
					continue
				}
				l := layout{kind[1], byte(n)}
				if slices.Contains(all, l) {
					t.Errorf("docs/format.md lists %v twice", l)
				}
				all = append(all, l)
			}
		}
	}
	if len(all) < 50 {
		t.Fatalf("docs/format.md lists %v", all)
	}
	return all
}

// sampled are records as clients left them: those of the tests of damage, one that was
// made before format 2, and two that write to each other until chains are dropped.
func sampled(t *testing.T) map[layout][][]byte {
	t.Helper()
	all := map[layout][][]byte{}
	w, c := newWard(t), newClientWard(t)
	collect(t, w.phone.kv, [32]byte{9}, all)
	collect(t, c.phone.kv, [32]byte{9}, all)

	old := filepath.Join(t.TempDir(), "sqlite.db")
	data, err := os.ReadFile("testdata/format1/sqlite.db")
	if err == nil {
		err = os.WriteFile(old, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlitekv.Open(old)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	collect(t, store, [32]byte{1, 2, 3}, all)

	alice, bob := pair(t)
	bob.receive(alice, alice.send(bob, "hi", pawl.WithOneTimeKey(bob.oneTimeKey())))
	for range 10 {
		alice.receive(bob, bob.send(alice, "hi"))
		bob.receive(alice, alice.send(bob, "hi"))
	}
	collect(t, alice.kv, [32]byte{9}, all)

	at := time.Date(2026, 5, 13, 20, 5, 0, 0, time.UTC)
	begun := record.Moment{Time: at, Order: 7}
	wedge, err := records.Wedge{
		Key: bob.id.Curve25519, User: bob.id.UserID, First: begun, Last: begun, Why: "no session", Tries: 1, Begun: begun,
		Pause: records.Pause{{At: at, Began: true}, {At: at.Add(-time.Hour), Passed: time.Minute}},
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sample(all, "wedge", wedge)
	unmarked, err := machine.UnmarkedAccounts.Codec.Append(nil, machine.Unmarked{Key: "_/account/a/b", Cause: uint8(account.Unwitnessed), At: at.UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	sample(all, "unmarked", unmarked)
	return all
}

func sample(all map[layout][][]byte, kind string, plain []byte) {
	l := layout{kind, plain[0]}
	sameLength := func(known []byte) bool { return len(known) == len(plain) }
	if len(all[l]) < samplesOfKind && !slices.ContainsFunc(all[l], sameLength) {
		all[l] = append(all[l], plain)
	}
}

// collect unseals the records of a store, some of each kind.
func collect(t *testing.T, store kv.Store, key [32]byte, all map[layout][][]byte) {
	t.Helper()
	entries := back(t, store).entries
	at := slices.IndexFunc(entries, func(e kv.Entry) bool { return e.Key == "_/keyring" })
	ring, err := seal.Open(entries[at].Value[len("_/keyring")+1:], seal.RawKey(key))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		kind := strings.Split(e.Key, "/")[1]
		if slices.Contains(unread, kind) {
			continue
		}
		plain, err := ring.Open(nil, e.Key, e.Value)
		if err != nil {
			t.Fatalf("%s: %v", e.Key, err)
		}
		if plain[0] != 0 { // else it was set aside: the mark in its place is of no kind
			sample(all, kind, plain)
		}
	}
}

// layouts are those of which there is a vector that is accepted.
func (f recordVectors) layouts(t *testing.T) map[layout]bool {
	all := map[layout]bool{}
	for _, v := range f.Vectors {
		b, err := hex.DecodeString(v.Record)
		if err != nil || len(b) == 0 {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if v.Expect == "accepted" {
			all[layout{v.Kind, b[0]}] = true
		}
	}
	return all
}

// add adds vectors of the versions of kinds of which there are none: samples, and what
// must be refused made of each first. Those that are there stay, since later versions of
// Pawl are to read them.
func (f *recordVectors) add(t *testing.T, samples map[layout][][]byte) {
	t.Helper()
	has := f.layouts(t)
	f.Format, f.Kind = 1, "pawl-record"
	f.Description = "Records of each version of each kind as clients left them, and records that must be refused."
	f.Origin = map[string]string{"library": "Pawl: nobody else has these records", "command": "go test -run TestRecordVectors . -records.make", "date": "2026-11-30"}
	f.Expect = []string{"accepted", "format", "newer"}
	for _, l := range slices.SortedFunc(maps.Keys(samples), func(a, b layout) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.version, b.version))
	}) {
		if has[l] {
			continue
		}
		for i, b := range samples[l] {
			f.Vectors = append(f.Vectors, recordVector{fmt.Sprintf("%v, %d", l, i+1), l.kind, hex.EncodeToString(b), fieldsOf(t, b[1:]), "accepted"})
		}
		first := samples[l][0]
		for _, r := range []struct {
			name   string
			b      []byte
			expect string
		}{
			{"cut off", first[:len(first)-1], "format"},
			{"a byte at the end", append(bytes.Clone(first), 0xc0), "format"},
			{"a field more", fieldsMore(first, 1), "format"},
			{"a field fewer", fieldsMore(first, -1), "format"},
			{"as version 200", append([]byte{200}, first[1:]...), "newer"},
		} {
			f.Vectors = append(f.Vectors, recordVector{fmt.Sprintf("%v, %s", l, r.name), l.kind, hex.EncodeToString(r.b), nil, r.expect})
		}
	}
}

func (f recordVectors) encode(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fieldsMore changes the number of fields that a record says it has, and adds one that
// is nil where it is more.
func fieldsMore(b []byte, n int) []byte {
	b = bytes.Clone(b)
	if b[1] == 0xdc {
		b[3] += byte(n)
	} else {
		b[1] += byte(n)
	}
	if n > 0 {
		b = append(b, 0xc0)
	}
	return b
}

// fieldsOf are the fields of a record, with {"bin": hexadecimal} for bytes.
func fieldsOf(t *testing.T, b []byte) any {
	t.Helper()
	var fields any
	if err := msgpack.Unmarshal(b, &fields); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return inJSON(fields)
}

func inJSON(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]string{"bin": hex.EncodeToString(v)}
	case []any:
		list := make([]any, len(v))
		for i, field := range v {
			list[i] = inJSON(field)
		}
		return list
	}
	return v
}
