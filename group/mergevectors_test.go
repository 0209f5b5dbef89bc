package group_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/testfiles"
)

// mergeVector is copies of one session's key, as they come, and what is kept.
type mergeVector struct {
	Name     string        `json:"name"`
	Copies   []mergeCopy   `json:"copies"`
	AnyOrder bool          `json:"any_order"` // of the copies, with the same outcome
	Forget   uint64        `json:"forget,omitempty"`
	Withheld string        `json:"withheld,omitempty"` // the code of a notice
	Kept     []mergeCopy   `json:"kept"`
	Refused  []mergeCopy   `json:"refused"`
	Messages []mergeOpened `json:"messages"`
}

// mergeCopy is a copy of a key; where it is only told of, without the key.
type mergeCopy struct {
	Provenance string `json:"provenance"`
	Index      uint32 `json:"index"`
	MadeUp     []int  `json:"made_up,omitempty"` // parts of the ratchet that are not the session's
	Key        string `json:"key,omitempty"`     // in the export format
	Stored     bool   `json:"stored,omitempty"`  // of a refused one: it had been kept before
}

// mergeOpened is a message and what becomes of it.
type mergeOpened struct {
	Index      uint32 `json:"index"`
	Body       string `json:"body,omitempty"`
	Expect     string `json:"expect"`
	Provenance string `json:"provenance,omitempty"`
	Withheld   string `json:"withheld,omitempty"`
}

func of(provenance string, index uint32, madeUp ...int) mergeCopy {
	return mergeCopy{Provenance: provenance, Index: index, MadeUp: madeUp}
}

func given(provenance string, index uint32, madeUp ...int) mergeCopy {
	c := of(provenance, index, madeUp...)
	c.Stored = true
	return c
}

func opens(index uint32, provenance string) mergeOpened {
	return mergeOpened{Index: index, Expect: "accepted", Provenance: provenance}
}

func fails(index uint32, expect, withheld string) mergeOpened {
	return mergeOpened{Index: index, Expect: expect, Withheld: withheld}
}

// merges are the vectors without keys and messages, which follow from a seed.
var merges = []mergeVector{
	{Name: "one copy", Copies: []mergeCopy{of("direct", 3)}, Kept: []mergeCopy{of("direct", 3)},
		Messages: []mergeOpened{fails(2, "too-early", ""), opens(3, "direct"), opens(600, "direct")}},
	{Name: "backup, forward and file", AnyOrder: true,
		Copies:   []mergeCopy{of("backup", 5), of("forwarded", 260), of("file", 0)},
		Kept:     []mergeCopy{of("forwarded", 260), of("backup", 5), of("file", 0)},
		Messages: []mergeOpened{opens(0, "file"), opens(5, "backup"), opens(259, "backup"), opens(260, "forwarded")}},
	{Name: "the better one covers the others", AnyOrder: true,
		Copies:   []mergeCopy{of("backup", 5), of("forwarded", 0), of("file", 3), of("direct", 300)},
		Kept:     []mergeCopy{of("direct", 300), of("forwarded", 0)},
		Messages: []mergeOpened{opens(3, "forwarded"), opens(300, "direct")}},
	{Name: "of one provenance the earliest", AnyOrder: true,
		Copies: []mergeCopy{of("backup", 300), of("backup", 5), of("backup", 7)}, Kept: []mergeCopy{of("backup", 5)},
		Messages: []mergeOpened{fails(4, "too-early", ""), opens(5, "backup")}},
	{Name: "made up across 256, beside the sender's", AnyOrder: true,
		Copies:   []mergeCopy{of("direct", 300), of("backup", 0, 3)},
		Kept:     []mergeCopy{of("direct", 300), of("backup", 0, 3)},
		Messages: []mergeOpened{fails(255, "mac", ""), opens(256, "backup"), opens(300, "direct")}},
	{Name: "made up across 256, then the sender's earlier one",
		Copies: []mergeCopy{of("direct", 300), of("backup", 0, 3), of("direct", 5)}, Kept: []mergeCopy{of("direct", 5)},
		Refused:  []mergeCopy{given("backup", 0, 3)},
		Messages: []mergeOpened{fails(4, "too-early", ""), opens(5, "direct")}},
	{Name: "not connected, and worse", Copies: []mergeCopy{of("direct", 5), of("backup", 0, 0, 1, 2, 3)},
		Kept: []mergeCopy{of("direct", 5)}, Refused: []mergeCopy{of("backup", 0, 0, 1, 2, 3)},
		Messages: []mergeOpened{fails(0, "too-early", ""), opens(5, "direct")}},
	{Name: "not connected, of one provenance: what is stored stays", Copies: []mergeCopy{of("backup", 5), of("backup", 0, 2)},
		Kept: []mergeCopy{of("backup", 5)}, Refused: []mergeCopy{of("backup", 0, 2)}, Messages: []mergeOpened{opens(5, "backup")}},
	{Name: "not connected, better, and nobody vouches for it: what is stored stays",
		Copies: []mergeCopy{of("file", 5), of("backup", 0, 2)},
		Kept:   []mergeCopy{of("file", 5)}, Refused: []mergeCopy{of("backup", 0, 2)}, Messages: []mergeOpened{opens(5, "file")}},
	{Name: "not connected, better, and an own device vouches for it", Copies: []mergeCopy{of("file", 0, 2), of("forwarded", 5)},
		Kept: []mergeCopy{of("forwarded", 5)}, Refused: []mergeCopy{given("file", 0, 2)}, Messages: []mergeOpened{opens(5, "forwarded")}},
	{Name: "a floor", Copies: []mergeCopy{of("direct", 300), of("backup", 0)}, Forget: 257,
		Kept:     []mergeCopy{of("direct", 300), of("backup", 257)},
		Messages: []mergeOpened{fails(256, "forgotten", ""), opens(257, "backup"), opens(300, "direct")}},
	{Name: "all forgotten", Copies: []mergeCopy{of("direct", 0)}, Forget: group.Whole,
		Messages: []mergeOpened{fails(0, "forgotten", ""), fails(600, "forgotten", "")}},
	{Name: "withheld, and a key from a backup", Copies: []mergeCopy{of("backup", 5)}, Withheld: "m.unverified",
		Kept:     []mergeCopy{of("backup", 5)},
		Messages: []mergeOpened{fails(4, "too-early", "m.unverified"), opens(5, "backup")}},
	{Name: "withheld, and a message of another ratchet", Copies: []mergeCopy{of("backup", 5, 3)}, Withheld: "m.unavailable",
		Kept: []mergeCopy{of("backup", 5, 3)}, Messages: []mergeOpened{fails(5, "mac", ""), opens(256, "backup")}},
}

var provenances = map[string]group.Provenance{
	"direct": group.Direct, "forwarded": group.Forwarded, "bundle": group.Bundle, "backup": group.Backup, "file": group.File,
}

var mergeFile = filepath.Join("testdata", "vectors", "merges.json")

// TestMergeVectorsAreWritten: the file is the table above with keys and messages.
func TestMergeVectorsAreWritten(t *testing.T) {
	vectors := make([]mergeVector, len(merges))
	for i, v := range merges {
		vectors[i] = v.filled(t)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(map[string]any{
		"format": testfiles.Format, "kind": "pawl-room-key-merge",
		"description": "Copies of one session's key as they come: what is kept, what is refused, and what becomes of messages.",
		"origin": map[string]string{
			"Library": "pawl", "Command": "cd group && go test -run TestMergeVectorsAreWritten -update .", "Date": "2026-11-29",
		},
		"expect": []string{"accepted", "mac", "too-early", "forgotten"}, "vectors": vectors,
	})
	if err != nil {
		t.Fatal(err)
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(mergeFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(mergeFile); err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is not what the table gives (go test -update writes it): %v", mergeFile, err)
	}
}

// filled adds the keys and messages of a session that follows from a seed.
func (v mergeVector) filled(t *testing.T) mergeVector {
	t.Helper()
	s := newSender(t, 5)
	first := s.Key()
	v.Copies = append([]mergeCopy(nil), v.Copies...)
	for i := range v.Copies {
		c := &v.Copies[i]
		k, err := first.Advance(c.Index)
		if err != nil {
			t.Fatal(err)
		}
		b, err := k.Export(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range c.MadeUp {
			b[5+32*part] ^= 1
		}
		c.Key = base64.RawStdEncoding.EncodeToString(b)
	}
	v.Messages = append([]mergeOpened(nil), v.Messages...)
	for i := range v.Messages {
		m := &v.Messages[i]
		_, body, err := advanced(t, s, first, m.Index).Encrypt(fmt.Appendf(nil, "message %d", m.Index))
		if err != nil {
			t.Fatal(err)
		}
		m.Body = base64.RawStdEncoding.EncodeToString(body)
	}
	return v
}

func runMerges(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[mergeVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			orders := [][]mergeCopy{v.Copies}
			if v.AnyOrder {
				orders = permutations(v.Copies)
			}
			for _, copies := range orders {
				v.run(t, f, copies)
				v.laws(t, copies)
			}
		})
	}
}

// laws are those of merging: a copy that is kept, and comes again, changes nothing; and
// where the copies may come in any order, they may be merged in any groups before.
func (v mergeVector) laws(t *testing.T, copies []mergeCopy) {
	t.Helper()
	whole, _ := merged(t, copies)
	want := keptOf(t, whole)
	for _, c := range copies {
		again, _, err := whole.Merge(c.inbound(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := keptOf(t, again); got != want {
			t.Errorf("%s from %d, again: kept %s, expected %s", c.Provenance, c.Index, got, want)
		}
	}
	for i := 1; v.AnyOrder && i < len(copies); i++ {
		first, _ := merged(t, copies[:i])
		rest, _ := merged(t, copies[i:])
		both, _, err := first.Merge(rest)
		if err != nil {
			t.Fatal(err)
		}
		if got := keptOf(t, both); got != want {
			t.Errorf("%d copies, and the rest: kept %s, expected %s", i, got, want)
		}
	}
}

// keptOf is what a record keeps, for comparing.
func keptOf(t *testing.T, in group.Inbound) (all string) {
	t.Helper()
	for _, c := range in.Copies() {
		key, err := c.Key.Export(nil)
		if err != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintf("%v %x\n", c.Provenance, key)
	}
	return all
}

// merged merges copies, one after the other.
func merged(t *testing.T, copies []mergeCopy) (in group.Inbound, refused []group.Refused) {
	t.Helper()
	in = copies[0].inbound(t)
	for _, c := range copies[1:] {
		next, given, err := in.Merge(c.inbound(t))
		if err != nil {
			t.Fatal(err)
		}
		in, refused = next, append(refused, given...)
	}
	return in, refused
}

func (v mergeVector) run(t *testing.T, f testfiles.Vectors, copies []mergeCopy) {
	t.Helper()
	in, refused := merged(t, copies)
	if v.Forget > 0 {
		in = in.Forget(v.Forget)
	}
	kept := in.Copies()
	if len(kept) != len(v.Kept) || len(refused) != len(v.Refused) {
		t.Fatalf("%d copies kept and %d refused, expected %d and %d", len(kept), len(refused), len(v.Kept), len(v.Refused))
	}
	for i, c := range v.Kept {
		if kept[i].Provenance != provenances[c.Provenance] || kept[i].Key.Index() != c.Index {
			t.Errorf("kept %v from %d, expected %s from %d", kept[i].Provenance, kept[i].Key.Index(), c.Provenance, c.Index)
		}
	}
	for i, c := range v.Refused {
		if r := refused[i]; r.Provenance != provenances[c.Provenance] || r.Key.Index() != c.Index || r.Stored != c.Stored {
			t.Errorf("refused %v from %d (stored: %v), expected %s from %d (%v)", r.Provenance, r.Key.Index(), r.Stored, c.Provenance, c.Index, c.Stored)
		}
	}
	for _, m := range v.Messages {
		m.show(t, f, in, v.Withheld)
	}
}

func (c mergeCopy) inbound(t *testing.T) group.Inbound {
	t.Helper()
	k, err := group.ParseExportedKey(unbase64(t, c.Key))
	if err != nil {
		t.Fatal(err)
	}
	in, err := group.NewInbound(room, group.NewCopy(k, group.Source{Provenance: provenances[c.Provenance]}))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (m mergeOpened) show(t *testing.T, f testfiles.Vectors, in group.Inbound, notice string) {
	t.Helper()
	parsed, err := group.ParseMessage(unbase64(t, m.Body))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := in.Decrypt(parsed)
	if notice != "" {
		err = group.Withheld{Room: room, Code: group.Code(notice)}.Explain(err)
	}
	f.Want(t, m.Expect, err)
	if err == nil && (opened.Source.Provenance != provenances[m.Provenance] || string(opened.Text) != fmt.Sprint("message ", m.Index)) {
		t.Errorf("message %d is %q of %v, expected %s", m.Index, opened.Text, opened.Source.Provenance, m.Provenance)
	}
	var explained *group.WithheldError
	code := group.Code("")
	if errors.As(err, &explained) {
		code = explained.Code
	}
	if code != group.Code(m.Withheld) {
		t.Errorf("message %d is explained with %q, expected %q", m.Index, code, m.Withheld)
	}
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// permutations returns all orders of some copies.
func permutations(copies []mergeCopy) (all [][]mergeCopy) {
	if len(copies) < 2 {
		return [][]mergeCopy{copies}
	}
	for i := range copies {
		rest := append(append([]mergeCopy(nil), copies[:i]...), copies[i+1:]...)
		for _, order := range permutations(rest) {
			all = append(all, append([]mergeCopy{copies[i]}, order...))
		}
	}
	return all
}
