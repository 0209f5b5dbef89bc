package roomkeyfile

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
)

// isOfKey reports that an error is of one key, and others follow.
func isOfKey(err error) bool {
	return errors.Is(err, group.ErrMalformed) || errors.Is(err, group.ErrVersion) || errors.Is(err, matrix.ErrRoomID)
}

// TestRoundTrip: what is written is read, however many keys there are.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) group.RoomKey {
			k := newKey(t, rapid.Uint32Range(0, 3).Draw(r, "index"))
			k.Room = matrix.RoomID("!" + rapid.StringN(1, 40, 100).Filter(func(s string) bool { return matrix.RoomID("!"+s).Check() == nil }).Draw(r, "room"))
			return k
		}), 0, 5).Draw(rt, "keys")
		b := write(t, 3, keys...)
		got, refused, err := read(b)
		if err != nil || len(refused) > 0 || !slices.EqualFunc(got, keys, same) {
			rt.Fatalf("%d keys of %d, refused: %v, %v", len(got), len(keys), refused, err)
		}
		for line := range strings.Lines(string(b)) {
			if len(line) > lineSize+1 || !strings.HasSuffix(line, "\n") {
				rt.Fatalf("a line of %d characters", len(line))
			}
		}
	})
}

// forms are files that differ, and in nothing that means anything.
func forms(t testing.TB, keys [2]group.RoomKey) map[string][]byte {
	text := "[" + entry(t, keys[0], nil) + " ,\n" + entry(t, keys[1], nil) + "]\n"
	bytesOf := sealed(text, 10, nil)
	whole := armored(bytesOf, base64.StdEncoding, 76, "\n")
	return map[string][]byte{
		"as it is written":      whole,
		"CRLF":                  armored(bytesOf, base64.StdEncoding, 76, "\r\n"),
		"no padding":            armored(bytesOf, base64.RawStdEncoding, 76, "\n"),
		"one line":              armored(bytesOf, base64.StdEncoding, len(bytesOf)*2, "\n"),
		"one character a line":  armored(bytesOf, base64.StdEncoding, 1, "\r\n"),
		"spaces":                bytes.ReplaceAll(whole, []byte("\n"), []byte(" \t\n\n")),
		"no newline at the end": bytes.TrimSpace(whole),
		"no newline at all":     []byte(firstLine + "\n" + base64.StdEncoding.EncodeToString(bytesOf) + lastLine),
		"a byte order mark":     append([]byte("\ufeff"), whole...),
		"text before":           append([]byte("Subject: my keys\n\n"), whole...),
		"text behind":           append(slices.Clone(whole), "\n-- \nAlice\n"...),
	}
}

// TestForms: lines may be of any length, or end in CRLF.
func TestForms(t *testing.T) {
	keys := [2]group.RoomKey{newKey(t, 1), newKey(t, 2)}
	whole := forms(t, keys)["as it is written"]
	for name, b := range forms(t, keys) {
		got, refused, err := read(b)
		if err != nil || len(refused) > 0 || !slices.EqualFunc(got, keys[:], same) {
			t.Errorf("%s: %d keys, refused: %v, %v", name, len(got), refused, err)
		}
	}
	// A file need not begin where its reader does.
	in := bytes.NewReader(append(bytes.Repeat([]byte("x"), maxPreface*2), whole...))
	must(t, second(in.Seek(maxPreface*2, io.SeekStart)))
	r, err := NewReader(in)
	must(t, err)
	must(t, r.Unlock(t.Context(), passphrase))
	for range 2 { // keys are read as often as one likes
		if got, _, err := all(r); err != nil || len(got) != 2 || r.Count() != 2 || r.Rounds() != 10 {
			t.Errorf("%d keys, %v", len(got), err)
		}
	}
}

// TestAnother: who has put two files into one is told, and nobody else.
func TestAnother(t *testing.T) {
	whole := string(write(t, 10, newKey(t, 1)))
	for name, c := range map[string]struct {
		file string
		want bool
	}{
		"one":              {whole, false},
		"a text behind":    {whole + "-----END-----\nx", false},
		"half a line":      {whole + firstLine[:20], false},
		"far behind":       {whole + strings.Repeat("x\n", maxPreface) + whole, false},
		"two":              {whole + whole, true},
		"two apart":        {strings.ReplaceAll(whole+"\nmore:\n"+whole, "\n", "\r\n"), true},
		"half another one": {whole + firstLine, true},
	} {
		r, err := NewReader(strings.NewReader(c.file))
		must(t, err)
		must(t, r.Unlock(t.Context(), passphrase))
		if r.Another() != c.want || r.Count() != 1 {
			t.Errorf("%s: another %v, %d keys; want %v, 1", name, r.Another(), r.Count(), c.want)
		}
	}
}

// TestNoKeys: what is too long or too deep to be a room key keeps none of the others away,
// whatever is in it.
func TestNoKeys(t *testing.T) {
	good := newKey(t, 1)
	for name, text := range map[string]string{
		"2 MiB of text":    `"` + strings.Repeat("x", 2<<20) + `"`,
		"2 MiB of escapes": `"` + strings.Repeat(`\"]`, 1<<20) + `"`,
		"2 MiB in a key":   strings.Replace(entry(t, good, nil), "{", `{"more":["]","`+strings.Repeat("}", 2<<20)+`"],`, 1),
		"deep":             strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"101 deep":         strings.Repeat("[", 101) + strings.Repeat("]", 101),
	} {
		got, refused, err := read(file("[" + text + "," + entry(t, good, nil) + " ," + text + "\n]"))
		if err != nil || len(got) != 1 || !same(got[0], good) || len(refused) != 2 {
			t.Errorf("%s: %d keys, %d refused, %v; want 1, 2", name, len(got), len(refused), err)
		}
		for _, why := range refused {
			if !errors.Is(why, group.ErrMalformed) || !strings.Contains(why.Error(), "more than 1048576 bytes") {
				t.Errorf("%s: %v", name, why)
			}
		}
	}
}

// badFile is one that is refused.
type badFile struct {
	file string
	want error
	says string
}

func badFiles(t testing.TB) map[string]badFile {
	text := "[" + entry(t, newKey(t, 1), nil) + "]"
	whole := string(file(text))
	atOnce := func(rounds uint32) string {
		return string(armored(sealed(text, rounds, nil), base64.StdEncoding, 76, "\n"))
	}
	of := func(n int) string { return string(armored(make([]byte, n), base64.StdEncoding, 76, "\n")) }
	changed := func(change func([]byte) []byte) string {
		return string(armored(sealed(text, 10, change), base64.StdEncoding, 76, "\n"))
	}
	return map[string]badFile{
		"nothing":                 {"", ErrFormat, "no line"},
		"other text":              {"[]", ErrFormat, "no line"},
		"much other text":         {strings.Repeat("x", maxPreface*2), ErrFormat, "no line"},
		"only the first line":     {firstLine, ErrCut, "no line"},
		"no last line":            {strings.TrimSuffix(whole, lastLine+"\n"), ErrCut, "no line"},
		"half a last line":        {whole[:len(whole)-9], ErrCut, "not whole"},
		"another last line":       {strings.Replace(whole, "-END", "-END OF", 1), ErrFormat, "neither"},
		"nothing between":         {of(0), ErrCut, "0 bytes between its lines, and there are 69 at least"},
		"a short body":            {of(68), ErrCut, "68 bytes"},
		"a version of zeros":      {of(69), ErrVersion, "0, want 1"},
		"version 2":               {changed(func(b []byte) []byte { b[0] = 2; return b }), ErrVersion, "2, want 1"},
		"0 rounds":                {atOnce(0), ErrRounds, "0, want 1 to 10000000"},
		"10,000,001 rounds":       {atOnce(MaxRounds + 1), ErrRounds, "10000001"},
		"2^32-1 rounds":           {atOnce(1<<32 - 1), ErrRounds, "4294967295"},
		"no base64":               {strings.Replace(whole, "\n", "\n!", 1), ErrFormat, "base64"},
		"padding in between":      {strings.Replace(whole, "\n", "\n=", 1), ErrFormat, "follows the end"},
		"much padding":            {strings.Replace(whole, lastLine, "===="+lastLine, 1), ErrFormat, "follows the end"},
		"one character too many":  {string(armored(sealed("[]x", 10, nil), base64.RawStdEncoding, 76, "\n")), ErrFormat, "JSON"},
		"half a byte":             {strings.Replace(of(69), "=", "", 1)[:48] + "A\n" + lastLine, ErrFormat, "base64"},
		"another passphrase":      {changed(func(b []byte) []byte { b[1]++; return b }), ErrPassphrase, "wrong passphrase"},
		"no JSON":                 {string(file("")), ErrFormat, "JSON"},
		"an object":               {string(file("{}")), ErrFormat, "not a JSON array"},
		"half an array":           {string(file("[" + entry(t, newKey(t, 1), nil))), ErrFormat, "not a whole JSON array"},
		"something after it":      {string(file("[] []")), ErrFormat, "not a JSON array"},
		"no comma":                {string(file("[1 2]")), ErrFormat, "not a whole JSON array"},
		"half a key of 2 MiB":     {string(file(`["` + strings.Repeat("x", 2<<20))), ErrFormat, "not a whole JSON array"},
		"a comma too many":        {string(file("[1,]")), ErrFormat, "not a whole JSON array"},
		"nothing before a comma":  {string(file("[,1]")), ErrFormat, "not a whole JSON array"},
		"an object too many":      {string(file("[{}}]")), ErrFormat, "not a whole JSON array"},
		"2 MiB before the array":  {string(file(strings.Repeat(" ", 2<<20) + `[]`)), ErrFormat, "more than"},
		"2 MiB instead of a list": {string(file(`"` + strings.Repeat("x", 2<<20) + `"`)), ErrFormat, "not a JSON array"},
		"deep":                    {string(file(strings.Repeat("[", 20_000))), ErrFormat, "JSON"},
	}
}

// TestBadFiles: each is one error that says what is wrong, before any key.
func TestBadFiles(t *testing.T) {
	for name, c := range badFiles(t) {
		keys, refused, err := read([]byte(c.file))
		if !errors.Is(err, c.want) || len(keys)+len(refused) > 0 || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %d keys, %v; want %v with %q", name, len(keys), err, c.want, c.says)
		}
		for _, other := range []error{ErrFormat, ErrCut, ErrVersion, ErrRounds, ErrPassphrase, ErrChanged} {
			if errors.Is(err, other) != (other == c.want) {
				t.Errorf("%s: %v is %v, too, or is not", name, err, other)
			}
		}
	}
}

// TestCutAnywhere: a file of which the end is missing is refused as such, wherever it
// was cut, unless only the end of its last line is missing.
func TestCutAnywhere(t *testing.T) {
	whole := write(t, 1, newKey(t, 1))
	for n := range whole {
		_, _, err := read(whole[:n])
		want := ErrCut
		switch {
		case n < len(firstLine):
			want = ErrFormat
		case n == len(whole)-1:
			want = nil
		}
		if !errors.Is(err, want) {
			t.Errorf("the first %d of %d bytes: %v, want %v", n, len(whole), err, want)
		}
	}
}

// TestChangedAnywhere: a file in which a character is another one is refused, or is
// read as it was.
func TestChangedAnywhere(t *testing.T) {
	k := newKey(t, 1)
	whole := write(t, 1, k)
	for i := range whole {
		b := slices.Clone(whole)
		if b[i] ^= 1; b[i] == '\n' || b[i] == '\r' {
			continue
		}
		// 16,777,217 rounds, say, are refused at once; some millions would be made.
		if r, err := NewReader(bytes.NewReader(b)); err == nil && r.Rounds() > 1000 {
			continue
		}
		got, _, err := read(b)
		if err == nil && (len(got) != 1 || !same(got[0], k)) {
			t.Errorf("byte %d: %d keys", i, len(got))
		}
		if inBody := i > len(firstLine) && i < len(whole)-len(lastLine)-8; inBody && err == nil && whole[i] != '\n' {
			t.Errorf("byte %d, %q for %q: nobody notices", i, b[i], whole[i])
		}
	}
}

// TestWrongUse: what the caller does wrong is said.
func TestWrongUse(t *testing.T) {
	if _, err := NewWriter(io.Discard, rand.Reader, nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("without a passphrase: %v", err)
	}
	if _, err := newWriter(io.Discard, strings.NewReader("17 random bytes.."), passphrase, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without random bytes: %v", err)
	}
	var out bytes.Buffer
	w, err := newWriter(&out, rand.Reader, passphrase, 1)
	must(t, err)
	if err := w.Add(group.RoomKey{Room: room}); !errors.Is(err, group.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	must(t, w.Close())
	if w.Count() != 0 || !errors.Is(w.Add(newKey(t, 1)), ErrClosed) || !errors.Is(w.Close(), ErrClosed) {
		t.Error("something is added to what is finished")
	}
	r, err := NewReader(bytes.NewReader(out.Bytes()))
	must(t, err)
	if _, _, err := all(r); !errors.Is(err, ErrLocked) {
		t.Errorf("before it is unlocked: %v", err)
	}
	if err := r.Unlock(t.Context(), []byte("correct horse ")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a space more: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Unlock(ended, passphrase); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
	must(t, r.Unlock(t.Context(), passphrase))
	if keys, _, err := all(r); err != nil || len(keys) != 0 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// TestFullDisk: whatever byte is the last that goes into a file, the writer says so.
func TestFullDisk(t *testing.T) {
	k := newKey(t, 1)
	whole := write(t, 1, k)
	full := errors.New("no space left")
	for n := 0; n < len(whole); n += 7 {
		var last error
		w, err := newWriter(&limited{n, full}, rand.Reader, passphrase, 1)
		for _, step := range []func() error{
			func() error { return err }, func() error { return w.Add(k) }, func() error { return w.Close() }, func() error { return w.Close() },
		} {
			if w != nil {
				last = step()
			}
		}
		if !errors.Is(last, full) {
			t.Errorf("room for %d bytes: %v", n, last)
		}
	}
}

// limited is a writer with room for some bytes.
type limited struct {
	room int
	err  error
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.room {
		n := l.room
		l.room = 0
		return n, l.err
	}
	l.room -= len(p)
	return len(p), nil
}

// TestSecrets: neither prints what it holds.
func TestSecrets(t *testing.T) {
	if found := secret.Exposed(sealing{}); len(found) > 0 {
		t.Error(found)
	}
	w, err := newWriter(io.Discard, rand.Reader, passphrase, 1)
	must(t, err)
	r, err := NewReader(bytes.NewReader(write(t, 1)))
	must(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		for _, v := range []any{w, r, *r} {
			if got := fmt.Sprintf(verb, v); got != secret.Redacted {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

// TestRounds: a file has as many as clients give theirs today, whatever its reader takes.
func TestRounds(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, rand.Reader, passphrase)
	must(t, err)
	must(t, w.Add(newKey(t, 1)))
	must(t, w.Close())
	r, err := NewReader(bytes.NewReader(out.Bytes()))
	must(t, err)
	if r.Rounds() != 500_000 {
		t.Errorf("%d rounds", r.Rounds())
	}
	must(t, r.Unlock(t.Context(), passphrase))
	if keys, _, err := all(r); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}
