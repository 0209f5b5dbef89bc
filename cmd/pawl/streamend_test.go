package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// TestStreamEnds: what has happened to the account or to the store while a stream
// is open ends it with the next line, though its input goes on. What has happened
// to one sender does not.
func TestStreamEnds(t *testing.T) {
	for _, store := range engines {
		for _, c := range []struct {
			name   string
			happen func(t *testing.T)
			code   string // of the line's answer; none: it has no answer
		}{
			{"moved", func(t *testing.T) { run(t, "convert", store, "elsewhere") }, "retired"},
			{"account damaged", func(t *testing.T) { change(t, store, "account") }, "corrupt"},
			{"removed", func(t *testing.T) {
				for _, name := range []string{"phone", "phone.db"} {
					if err := os.RemoveAll(name); err != nil {
						t.Fatal(err)
					}
				}
			}, ""},
			{"session damaged", func(t *testing.T) { change(t, store, "session") }, "goes on"},
		} {
			t.Run(store+" "+c.name, func(t *testing.T) {
				lines := correspondents(t, store, 3)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, "pawl", "decrypt", store, "--jsonl")
				in, out, stderr := pipes(t, cmd)
				answers := bufio.NewReader(out)
				ask := func(line string) string {
					io.WriteString(in, line)
					answer, _ := answers.ReadString('\n')
					return answer
				}
				if got := ask(lines[0]); !strings.Contains(got, `"plaintext"`) {
					t.Fatalf("before: %s", got)
				}
				c.happen(t)
				got := ask(lines[1])
				if c.code == "goes on" {
					if !strings.Contains(got, `"code":"corrupt"`) || !strings.Contains(ask("no message\n"), `"code":"json"`) {
						t.Errorf("answer %s", got)
					}
					in.Close()
				} else if c.code != "" && !strings.Contains(got, `"code":"`+c.code+`"`) || c.code == "" && got != "" {
					t.Errorf("answer %s, want the code %q", got, c.code)
				}
				var failed *exec.ExitError
				if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != exitFailed {
					t.Errorf("it ends with %v: %s", err, stderr)
				}
				if text := stderr.String(); strings.Count(text, "\n") != 1 {
					t.Errorf("it says %s", text)
				}
			})
		}
	}
}

// change changes the first record of a kind.
func change(t *testing.T, store, kind string) {
	t.Helper()
	p, err := parsePlace(store)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	snap := engine.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.Key, "/"+kind+"/") {
			continue
		}
		value := append([]byte{}, e.Value...)
		value[len(value)-1] ^= 1
		write := kv.Write{Key: e.Key, Value: value}
		if _, err := engine.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(e.Version), Writes: []kv.Write{write}, Sync: true}); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("there is no %s", kind)
}
