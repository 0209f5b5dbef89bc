package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
)

// correspondents makes a store with an account for a test, in its own directory, and
// returns lines for decrypt --jsonl, of as many letters to it as are wanted.
func correspondents(t *testing.T, store string, n int) (lines []string) {
	t.Helper()
	t.Chdir(t.TempDir())
	var bob accountJSON
	unmarshal(t, stdoutOf(t, "init", store, "--user", "@bob:example.org", "--device", "PHONE"), &bob)
	var upload struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	unmarshal(t, stdoutOf(t, "keys", store, "--count", "1"), &upload)
	var oneTimeKey ratchet.PublicKey
	for _, k := range upload.Keys {
		oneTimeKey = keyOf(t, k.Key)
	}
	ctx := context.Background()
	s, err := pawl.Open(ctx, memkv.New(), pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	alice, err := s.Create(ctx, "@alice:example.org", "LAPTOP")
	if err != nil {
		t.Fatal(err)
	}
	id, err := alice.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var options []pawl.EncryptOption
		if i == 0 {
			options = append(options, pawl.WithOneTimeKey(oneTimeKey))
		}
		made, err := alice.Encrypt(ctx, keyOf(t, bob.Curve25519), fmt.Append(nil, "letter ", i), options...)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf(`{"sender_key":%q,"type":%d,"body":%q}`+"\n",
			id.Curve25519, made.Message.Type, unpadded.Encode(made.Message.Body)))
	}
	return lines
}

func keyOf(t *testing.T, s string) ratchet.PublicKey {
	t.Helper()
	key, err := parseKey("key", s)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func unmarshal(t *testing.T, text []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func stdoutOf(t *testing.T, args ...string) []byte {
	t.Helper()
	return answersTo(t, "", args...)
}

// answersTo runs pawl, which must succeed.
func answersTo(t *testing.T, stdin string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("pawl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stderr = new(bytes.Buffer)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pawl %v: %v\n%s", args, err, cmd.Stderr)
	}
	return out
}

// acknowledged returns which of the messages are answered with already_processed.
func acknowledged(t *testing.T, store string, lines []string) (which []int) {
	t.Helper()
	answers := strings.Split(string(answersTo(t, strings.Join(lines, ""), "decrypt", store, "--jsonl")), "\n")
	for i := range lines {
		if strings.Contains(answers[i], `"code":"already_processed"`) {
			which = append(which, i)
		} else if !strings.HasPrefix(answers[i], `{"plaintext":"bGV0dGVy`) { // "letter"
			t.Fatalf("answer %d: %s", i, answers[i])
		}
	}
	return which
}

// TestConversation: a program writes one line and reads its answer, over a pipe
// that stays open, and acknowledges it in the same way.
func TestConversation(t *testing.T) {
	lines := correspondents(t, "bob", 4)
	decrypt := exec.Command("pawl", "decrypt", "bob", "--jsonl")
	in, out, _ := pipes(t, decrypt)
	answers := bufio.NewReader(out)
	var receipts []string
	for i, line := range lines[:3] {
		// The empty lines are none, and the half line is not waited for.
		if _, err := io.WriteString(in, line+"\n\n"+lines[3][:i]); err != nil {
			t.Fatal(err)
		}
		var answer answerJSON
		text, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		unmarshal(t, text, &answer)
		receipts = append(receipts, answer.Receipt)
		if i == 1 {
			io.WriteString(in, "\n") // ends the half line, which is no message
			if text, err := answers.ReadString('\n'); err != nil || !strings.Contains(text, `"code":"json"`) {
				t.Fatalf("answer %q, %v", text, err)
			}
		}
	}
	in.Close()
	if err := decrypt.Wait(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("pawl", "ack", "bob")
	ack, _, _ := pipes(t, cmd)
	io.WriteString(ack, receipts[0]+"\n")
	for len(acknowledged(t, "bob", lines[:3])) == 0 {
		// It is acknowledged while the pipe is open.
	}
	io.WriteString(ack, `{"receipt":"`+receipts[2]+`"}`)
	ack.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := acknowledged(t, "bob", lines); fmt.Sprint(got) != "[0 2]" {
		t.Errorf("acknowledged: %v, want [0 2]", got)
	}
}

// TestConversationInPython runs what a program in another language looks like.
func TestConversationInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("python3 is not here; TestConversation does the same")
		return
	}
	program, err := os.ReadFile("testdata/talk.py")
	if err != nil {
		t.Fatal(err)
	}
	lines := correspondents(t, "bob", 3)
	write(t, "messages", strings.Join(lines, ""))
	out, err := exec.Command(python, "-c", string(program), "bob", "messages", "letters").CombinedOutput()
	if err != nil || string(out) != " 0\nacknowledged: 3 receipts\n 0\n" {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := acknowledged(t, "bob", lines); len(got) != 3 {
		t.Errorf("acknowledged: %v", got)
	}
	if letters, _ := os.ReadFile("letters"); strings.Count(string(letters), "\n") != 3 {
		t.Errorf("letters: %q", letters)
	}
}

// TestNothingUnreadIsAcknowledged: whatever becomes of the output, every message
// whose answer the reader may not have is answered again.
func TestNothingUnreadIsAcknowledged(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("there is no sh here")
		return
	}
	const each = 4 // messages
	cases := []struct {
		name    string
		command string
		status  int
		acked   string
	}{
		{"reader goes", `pawl decrypt bob --jsonl --batch 2 <messages | head -1 >read; pawl ack bob <read`, 0, "[0]"},
		{"half an answer", `pawl decrypt bob --jsonl <messages | head -c 300 | pawl ack bob`, 1, "[0]"},
		{"ack, reader goes", `(pawl decrypt bob --jsonl --ack <messages; echo $? >status) | head -1; exit $(cat status)`, 2, "[]"},
		{"ack, closed", `pawl decrypt bob --jsonl --ack <messages >&-`, 2, "[]"},
		{"ack, nobody reads", `pawl decrypt bob --jsonl --ack <messages >/dev/null`, 2, "[]"},
		{"ack, removed file", `exec >out; rm out; pawl decrypt bob --jsonl --ack <messages`, 2, "[]"},
		{"ack, no room", `ulimit -f 0; pawl decrypt bob --jsonl --ack <messages >out`, 1, "[]"},
		{"ack, little room", `ulimit -f 1; pawl decrypt bob --jsonl --ack --batch 1 <messages >out`, 1, "out"},
		{"ack, file", `pawl decrypt bob --jsonl --ack <messages >out`, 0, "[0 1 2 3]"},
		{"one, closed", `head -1 messages | pawl decrypt bob --json --from $SENDER --ack >&-`, 2, "[]"},
		{"one, no room", `ulimit -f 0; head -1 messages | pawl decrypt bob --from $SENDER --ack >out`, 1, "[]"},
		{"one, file", `head -1 messages | pawl decrypt bob --from $SENDER --ack >out`, 0, "[0]"},
	}
	all := correspondents(t, "bob", each*len(cases))
	// The store's own files are another process's, which no limit is for.
	owner := exec.Command("pawl", "decrypt", "bob", "--jsonl")
	in, out, _ := pipes(t, owner)
	defer func() {
		in.Close()
		owner.Wait()
	}()
	io.WriteString(in, "no message\n")
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	var sender incomingJSON
	unmarshal(t, []byte(all[0]), &sender)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			lines := all[i*each : (i+1)*each]
			write(t, "messages", strings.Join(lines, ""))
			cmd := exec.Command("sh", "-c", c.command)
			cmd.Env = append(cmd.Environ(), "SENDER="+*sender.Sender)
			text, err := cmd.CombinedOutput()
			status := 0
			if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
				status = failed.ExitCode()
			}
			if status != c.status {
				t.Fatalf("status %d, want %d: %s", status, c.status, text)
			}
			if status == 2 && !strings.Contains(string(text), "'pawl ack STORE'") {
				t.Errorf("it says %s", text)
			}
			got := acknowledged(t, "bob", lines)
			if c.acked == "out" { // at most what is there as a whole
				if whole := wholeLines(t, "out"); len(got) > whole || whole == each {
					t.Errorf("acknowledged: %v, and %d answers are there", got, whole)
				}
			} else if fmt.Sprint(got) != c.acked {
				t.Errorf("acknowledged: %v, want %v: %s", got, c.acked, text)
			}
		})
	}
}

func wholeLines(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}
