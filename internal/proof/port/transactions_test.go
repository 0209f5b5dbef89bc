package port

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/internal/proof/port/transactions"
	"github.com/pawlkv/pawl/internal/testfiles"
)

// withoutVectors are the calls that have no vectors of transactions, and why.
var withoutVectors = map[string]string{
	"stats":                "it counts what this process did",
	"yield":                "it is the engine's",
	"erase":                "it is the engine's",
	"change_passphrase":    "it is change_key with another record: vectors of sealing",
	"export_room_key_file": "it is export_room_keys, written as a file with randomness of its own",
}

// fewest are the vectors that each call has at least.
const fewest = 3

// TestTransactions: each call reads, checks and writes what its vectors say, whatever
// the store answers, and every call has some.
func TestTransactions(t *testing.T) {
	testfiles.RunIn(t, root+"/vectors/transactions", testfiles.Kinds{transactions.Kind: play}, outcomesOf(t))
}

// outcomesOf are all codes, and that there is none. What an outcome stands for is
// compared by its code.
func outcomesOf(t *testing.T) map[string][]error {
	t.Helper()
	all := map[string][]error{transactions.Done: nil}
	for _, c := range calls.Codes() {
		all[string(c.Name)] = nil
	}
	return all
}

func play(t *testing.T, f testfiles.Vectors) {
	b, err := os.ReadFile(filepath.Join(root, "vectors/transactions/transactions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file transactions.File
	testfiles.Strict(t, b, &file)
	if file.Vectors, err = transactions.Whole(file.Vectors); err != nil {
		t.Fatal(err)
	}
	ring := ringOf(t)
	made, answers := map[string]int{}, map[string]int{}
	for _, v := range file.Vectors {
		made[v.Call.Call]++
		for _, a := range v.Attempts {
			for _, answer := range a.Answers {
				answers[answer]++
			}
		}
		t.Run(v.Name, func(t *testing.T) {
			if !slices.Contains(f.Expect, v.Expect) {
				t.Fatalf("the outcome %q is not in the file's set %q", v.Expect, f.Expect)
			}
			holds(t, ring, file.Setups[v.Setup], v)
		})
	}
	store, machine, streams := calls.Names()
	for _, name := range slices.Concat(store, machine, streams) {
		why, none := withoutVectors[name]
		switch n := made[name]; {
		case none && n > 0:
			t.Errorf("%s has %d vectors, and stands in the table of those that have none: %s", name, n, why)
		case !none && n < fewest:
			t.Errorf("%s has %d vectors, want %d: add a call to transaction_calls_test.go", name, n, fewest)
		}
	}
	for _, answer := range []string{transactions.Applied, transactions.Conflict, transactions.UnknownApplied, transactions.UnknownLost} {
		if answers[answer] < 10 {
			t.Errorf("only %d commits are answered %q", answers[answer], answer)
		}
	}
}

// ringOf is the first keyring of the vectors of sealing, which has a key.
func ringOf(t *testing.T) transactions.Ring {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(sealing, "keyring.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []ringVector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return transactions.Ring{Record: file.Vectors[0].Record, Key: [32]byte(file.Vectors[0].Key)}
}

// holds makes the calls of a vector with the randomness that it has, and no more.
func holds(t *testing.T, ring transactions.Ring, s transactions.Setup, v transactions.Vector) {
	t.Helper()
	var random bytes.Reader
	all := []byte{}
	for _, c := range append(slices.Clone(v.Before), v.Call) {
		all = append(all, c.Random...)
	}
	random.Reset(all)
	want := v
	v.Before, v.Attempts = slices.Clone(v.Before), slices.Clone(v.Attempts)
	went, err := ring.Run(t.Context(), s, v, &random)
	if err != nil {
		t.Fatal(err)
	}
	if random.Len() > 0 {
		t.Errorf("%d bytes of randomness are left", random.Len())
	}
	if a, b := inLine(t, went), inLine(t, want); !bytes.Equal(a, b) {
		t.Errorf("it went\n%s\nand the vector is\n%s", a, b)
	}
}

func inLine(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
