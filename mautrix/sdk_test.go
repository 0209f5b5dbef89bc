package pawlmautrix

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// nodebot is where the client of matrix-sdk-crypto is.
const nodebot = "../internal/proof/clients/nodebot"

// needsNode skips a test without Node and what "npm ci" puts there. With PAWL_NODE=1 they
// are required.
func needsNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(nodebot, "node_modules", "fake-indexeddb"))
	}
	switch {
	case err != nil && os.Getenv("PAWL_NODE") != "":
		t.Fatalf("matrix-sdk-crypto cannot be run: %v; have Node 20 or newer, and run npm ci in %s", err, nodebot)
	case err != nil:
		t.Skipf("without matrix-sdk-crypto: %v; have Node 20 or newer, and run npm ci in %s", err, nodebot)
	}
}

// sdk is a client of matrix-sdk-crypto, a process.
type sdk struct {
	t  *testing.T
	in io.Writer

	mu     sync.Mutex
	number int
	said   []map[string]any
	more   *sync.Cond
	ended  bool
}

func startSDK(t *testing.T, s hs.Homeserver, user id.UserID, device id.DeviceID) *sdk {
	t.Helper()
	needsNode(t)
	cmd := exec.CommandContext(t.Context(), "node", "bot.mjs")
	cmd.Dir, cmd.Stderr = nodebot, os.Stderr
	in, out := begin(t, cmd)
	p := &sdk{t: t, in: in}
	p.more = sync.NewCond(&p.mu)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var said map[string]any
			if json.Unmarshal(lines.Bytes(), &said) == nil {
				p.note(func() { p.said = append(p.said, said) })
			}
		}
		p.note(func() { p.ended = true })
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-heard
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	p.do("login", map[string]any{
		"homeserver": s.URL(), "user_id": user, "device_id": device, "access_token": s.Login(matrix.UserID(user), matrix.DeviceID(device)),
	})
	p.do("start", nil)
	return p
}

func (p *sdk) note(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	p.more.Broadcast()
}

// do has it do something, and waits until it is done. It returns the answer.
func (p *sdk) do(cmd string, with map[string]any) map[string]any {
	p.t.Helper()
	q := map[string]any{"cmd": cmd}
	for name, v := range with {
		q[name] = v
	}
	p.mu.Lock()
	p.number++
	number := float64(p.number)
	p.mu.Unlock()
	q["id"] = number
	line, err := json.Marshal(q)
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	a := p.await(cmd, func(said map[string]any) bool { return said["id"] == number })
	if a["ok"] != true {
		p.t.Fatalf("%s: %v", cmd, a["error"])
	}
	return a
}

// await waits until it has said something.
func (p *sdk) await(what string, is func(map[string]any) bool) map[string]any {
	p.t.Helper()
	stop := context.AfterFunc(p.t.Context(), func() { p.note(func() {}) })
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if i := slices.IndexFunc(p.said, is); i >= 0 {
			return p.said[i]
		}
		if p.ended || p.t.Context().Err() != nil {
			p.t.Fatalf("it never said %s: %v", what, p.said)
		}
		p.more.Wait()
	}
}
