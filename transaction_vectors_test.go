package pawl_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/port/transactions"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

var makeTransactions = flag.Bool("transactions.make", false, "write vectors/transactions/transactions.json")

// transactionsFile are the vectors; docs/port/transactions.md.
const transactionsFile = "vectors/transactions/transactions.json"

// TestTransactionVectors: the vectors that are committed are those that are made now, by
// their names and outcomes. internal/proof/port runs each of them.
func TestTransactionVectors(t *testing.T) {
	m := newVectorMaker(t)
	made := m.make()
	if *makeTransactions {
		if err := os.MkdirAll("vectors/transactions", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(transactionsFile, encodeTransactions(t, made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(transactionsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file transactions.File
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	has, wants := outcomesOf(file), outcomesOf(made)
	for name, outcome := range wants {
		if has[name] != outcome {
			t.Errorf("%q is %q in the file, and comes to %q now: go test -run TestTransactionVectors . -transactions.make", name, has[name], outcome)
		}
		delete(has, name)
	}
	for name := range has {
		t.Errorf("%q is in the file and is not made", name)
	}
}

func outcomesOf(f transactions.File) map[string]string {
	all := map[string]string{}
	for _, v := range f.Vectors {
		all[v.Name] = v.Expect
	}
	return all
}

// encodeTransactions writes a line for each vector and each entry.
func encodeTransactions(t *testing.T, f transactions.File) []byte {
	t.Helper()
	vectors, setups := f.Vectors, f.Setups
	f.Vectors, f.Setups = nil, nil
	head, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ = bytes.Cut(head, []byte(` "setups"`))
	out := bytes.NewBuffer(head)
	fmt.Fprint(out, " \"setups\": {\n")
	for i, name := range slices.Sorted(maps.Keys(setups)) {
		s := setups[name]
		fmt.Fprintf(out, "%s  %q: {\"user\": %q, \"device\": %q, \"entries\": {", comma(i), name, s.User, s.Device)
		for i, path := range slices.Sorted(maps.Keys(s.Entries)) {
			fmt.Fprintf(out, "%s   %q: %s", comma(i)+newline(i), path, line(t, s.Entries[path]))
		}
		fmt.Fprint(out, "\n  }}")
	}
	fmt.Fprint(out, "\n },\n \"vectors\": [")
	for i, v := range vectors {
		fmt.Fprintf(out, "%s  %s", comma(i)+newline(i), line(t, v))
	}
	fmt.Fprint(out, "\n ]\n}\n")
	return out.Bytes()
}

// comma separates from what came before.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ",\n"
}

func newline(i int) string {
	if i == 0 {
		return "\n"
	}
	return ""
}

func line(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(out.Bytes())
}

// vectorMaker makes the vectors: of each call that is written down what it does, what it
// does when others are faster or the engine does not say, and what it does without a
// record.
type vectorMaker struct {
	t      *testing.T
	ring   transactions.Ring
	open   seal.Keyring
	setups map[string]transactions.Setup
	file   transactions.File
}

func newVectorMaker(t *testing.T) *vectorMaker {
	t.Helper()
	m := &vectorMaker{t: t, setups: map[string]transactions.Setup{}}
	text, err := os.ReadFile("vectors/sealing/keyring.json")
	if err != nil {
		t.Fatal(err)
	}
	var rings struct {
		Vectors []struct{ Record, Key string }
	}
	if err := json.Unmarshal(text, &rings); err != nil {
		t.Fatal(err)
	}
	record, err := hex.DecodeString(rings.Vectors[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(rings.Vectors[0].Key)
	if err != nil || len(key) != 32 {
		t.Fatalf("the first keyring has the key %q, %v", rings.Vectors[0].Key, err)
	}
	m.ring = transactions.Ring{Record: record, Key: [32]byte(key)}
	if m.open, err = seal.Open(record, seal.RawKey(m.ring.Key)); err != nil {
		t.Fatal(err)
	}
	return m
}

// memory is a store with the keyring of the vectors, under the key of the tests.
func (m *vectorMaker) memory() kv.Store {
	m.t.Helper()
	record, err := m.open.Rewrap(rand.Reader, seal.RawKey([32]byte{9})) // testKey
	if err != nil {
		m.t.Fatal(err)
	}
	store := newMemory()
	putRaw(m.t, store, "_/keyring", string(txn.Plaintext.Seal(nil, "_/keyring", record)))
	return store
}

// setup adds what a device's store holds.
func (m *vectorMaker) setup(name string, d *device) {
	m.t.Helper()
	own := m.open.Blind(fmt.Sprintf("%d:%s%s", len(d.id.UserID), d.id.UserID, d.id.DeviceID))
	entries := transactions.Contents{}
	for _, e := range back(m.t, d.kv).entries {
		if e.Key == "_/keyring" {
			continue
		}
		plain, err := m.open.Open(nil, e.Key, e.Value)
		if err != nil {
			m.t.Fatalf("%s: %v", e.Key, err)
		}
		value := transactions.Bytes(plain)
		entries[strings.TrimPrefix(e.Key, own+"/")] = &value
	}
	m.setups[name] = transactions.Setup{User: string(d.id.UserID), Device: string(d.id.DeviceID), Entries: entries}
}

func (m *vectorMaker) run(v transactions.Vector) transactions.Vector {
	m.t.Helper()
	v.Before, v.Result = slices.Clone(v.Before), nil
	var known []byte // what it took another time, so that it can be the same
	for _, c := range append(slices.Clone(v.Before), v.Call) {
		known = append(known, c.Random...)
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute) // of what waits for ever
	defer cancel()
	went, err := m.ring.Run(ctx, m.setups[v.Setup], v, io.MultiReader(bytes.NewReader(known), rand.Reader))
	if err = errors.Join(err, ctx.Err()); err != nil {
		m.t.Errorf("%s: %v", v.Name, err)
	}
	return went
}

// add adds a vector, without what it has in common with another.
func (m *vectorMaker) add(v, plain transactions.Vector) {
	m.file.Vectors = append(m.file.Vectors, v.Like(plain))
}

// make makes all vectors of the calls that are written down.
func (m *vectorMaker) make() transactions.File {
	m.t.Helper()
	for i, v := range slices.Concat(m.olmCalls(), m.trackingCalls(), m.clientCalls()) {
		before := len(m.file.Vectors)
		plain := m.run(v)
		m.file.Vectors = append(m.file.Vectors, plain)
		m.others(plain, i)
		m.again(plain)
		m.without(plain, before)
	}
	expect := map[string]bool{}
	for _, v := range m.file.Vectors {
		expect[v.Expect] = true
	}
	m.file.Format, m.file.Kind, m.file.Setups, m.file.Expect = 1, transactions.Kind, m.setups, slices.Sorted(maps.Keys(expect))
	m.file.Description = "Calls on a store, with their randomness and time: what each reads, checks and writes, whatever the store answers."
	m.file.Origin = map[string]string{"library": "Pawl: nobody else has these records", "command": "go test -run TestTransactionVectors . -transactions.make", "date": "2026-11-30"}
	return m.file
}

// unknowns are the ways in which a commit of unknown outcome turns out. One whose last
// answer is a conflict needs that somebody else commits.
var unknowns = []struct {
	name    string
	answers []string
	beaten  bool
}{
	{"its outcome is unknown, it was applied", []string{transactions.UnknownApplied, transactions.Applied}, false},
	{"its outcome is unknown, it was lost", []string{transactions.UnknownLost, transactions.Applied}, false},
	{"its outcome is unknown, it was lost and is refused", []string{transactions.UnknownLost, transactions.Conflict}, true},
}

// thorough are the calls that are told of every way: those of which a mistake loses a
// message, or uses a key twice.
var thorough = []string{"decrypt", "encrypt", "encrypt_room_event", "keys_for_upload", "receive_sync"}

// others adds what the call does when another process makes the same call before it has
// committed, and when the engine does not say what became of its commit.
func (m *vectorMaker) others(plain transactions.Vector, turn int) {
	m.t.Helper()
	at, first := firstWrite(plain)
	if at < 0 {
		return
	}
	planned := func(name string, meanwhile transactions.Contents, answers ...string) {
		v := plain
		v.Name = plain.Name + ": " + name
		v.Attempts = slices.Clone(plain.Attempts[:at+1])
		v.Attempts[at].Meanwhile, v.Attempts[at].Answers = meanwhile, answers
		m.add(m.run(v), plain)
	}
	if len(first.Checks) > 0 {
		planned("another process makes the same call first", first.Writes, transactions.Conflict)
	}
	for i, u := range unknowns {
		if i != turn%len(unknowns) && !slices.Contains(thorough, plain.Call.Call) {
			continue
		}
		var meanwhile transactions.Contents
		if u.beaten {
			meanwhile = first.Writes
		}
		planned(u.name, meanwhile, u.answers...)
	}
}

// firstWrite is the first attempt that writes, -1 if none does.
func firstWrite(v transactions.Vector) (int, transactions.Attempt) {
	at := slices.IndexFunc(v.Attempts, func(a transactions.Attempt) bool { return len(a.Writes) > 0 })
	if at < 0 {
		return -1, transactions.Attempt{}
	}
	return at, v.Attempts[at]
}

// again adds what the same call comes to when it is made once more, where that is
// something else.
func (m *vectorMaker) again(plain transactions.Vector) {
	m.t.Helper()
	v := plain
	v.Name, v.Attempts, v.Random = plain.Name+": once more", nil, nil
	v.Before = append(slices.Clone(plain.Before), plain.Call)
	if went := m.run(v); went.Expect != plain.Expect || plain.Random == nil && !bytes.Equal(went.Result, plain.Result) {
		m.add(went, plain)
	}
}

// waiting are the calls that wait for what is not there.
var waiting = []string{"wait_for_room_key", "events"}

// mostWithout is how many records of a call are left out, each in a vector of its own.
const mostWithout = 2

// without adds what the call comes to when a record is missing that it reads, where that
// is something else; and until there are three of a call, when one is damaged.
func (m *vectorMaker) without(plain transactions.Vector, before int) {
	m.t.Helper()
	entries := m.setups[plain.Setup].Entries
	n, kinds := 0, map[string]bool{}
	for _, path := range needed(plain, entries) {
		kind := kindOf(path)
		if slices.Contains(waiting, plain.Call.Call) || n == mostWithout || kinds[kind] || kind == "account" {
			continue
		}
		kinds[kind] = true
		if went := m.with(plain, path, nil); went.Expect != plain.Expect {
			went.Name = fmt.Sprintf("%s: the record of kind %s is missing", plain.Name, kind)
			m.add(went, plain)
			n++
		}
	}
	for _, path := range needed(plain, entries) {
		if len(m.file.Vectors)-before >= 3 {
			return
		}
		if slices.Contains(waiting, plain.Call.Call) && kindOf(path) != "account" {
			continue
		}
		whole := *entries[path]
		cut := whole[:len(whole)-1]
		for _, harm := range []struct {
			how   string
			value *transactions.Bytes
		}{{"damaged", &cut}, {"missing", nil}} {
			went := m.with(plain, path, harm.value)
			if went.Expect != plain.Expect || !reflect.DeepEqual(went.Result, plain.Result) && !setsAside(went) {
				went.Name = fmt.Sprintf("%s: the record of kind %s is %s", plain.Name, kindOf(path), harm.how)
				m.add(went, plain)
			}
		}
	}
}

// setsAside reports whether a call writes copies of what cannot be read: they are as the
// store has it, sealed, which no two programs write alike.
func setsAside(v transactions.Vector) bool {
	return slices.ContainsFunc(v.Attempts, func(a transactions.Attempt) bool {
		for path := range a.Writes {
			if kindOf(path) == "aside" {
				return true
			}
		}
		return false
	})
}

func (m *vectorMaker) with(plain transactions.Vector, path string, value *transactions.Bytes) transactions.Vector {
	m.t.Helper()
	v := plain
	v.With, v.Attempts = maps.Clone(plain.With), nil
	if v.With == nil {
		v.With = transactions.Contents{}
	}
	v.With[path] = value
	return m.run(v)
}

// needed are the records that a call reads, and those that it finds in scans.
func needed(v transactions.Vector, entries transactions.Contents) (all []string) {
	read := map[string]bool{}
	for _, a := range v.Attempts {
		for _, path := range append(slices.Clone(a.Checks), a.Reads...) {
			for known := range entries {
				if known == path || strings.HasSuffix(path, "/") && strings.HasPrefix(known, path) {
					read[known] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(read))
}

// kindOf is the kind in a path, whether the account's segment is left out or not.
func kindOf(path string) string {
	first, rest, _ := strings.Cut(path, "/")
	if first == "_" {
		first, _, _ = strings.Cut(rest, "/")
	}
	return first
}
