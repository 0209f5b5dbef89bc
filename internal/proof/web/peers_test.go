package web

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
)

// clientsModule is where the clients of other implementations are.
const clientsModule = "../clients"

// roomPeer is a client of another implementation, as a process.
type roomPeer struct {
	t *testing.T
	*bot.Process
	oracle.Device
}

// newRoomPeer starts a peer with its program, logs it in and lets it sync.
func newRoomPeer(t *testing.T, s *hs.Server, of oracle.Device, cmd *exec.Cmd) *roomPeer {
	t.Helper()
	cmd.Stderr = os.Stderr
	process, err := bot.Start(string(of.ID), cmd)
	if err != nil {
		t.Fatal(err)
	}
	p := &roomPeer{t: t, Process: process, Device: of}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Quit(ctx); err != nil {
			t.Error(err)
		}
	})
	p.do(bot.Command{Name: "login", Homeserver: s.URL(), Store: t.TempDir(), User: string(of.User), Device: string(of.ID), Token: s.Login(of.User, of.ID)})
	p.do(bot.Command{Name: "start"})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := p.Wait(ctx, func(e bot.Event) bool { return e.Name == "synced" }); err != nil {
		t.Fatal(err)
	}
	return p
}

// do sends a command, which must succeed.
func (p *roomPeer) do(c bot.Command) bot.Answer {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	a, err := p.Do(ctx, c)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// mautrixProgram is mautrix-go's client, which the module of clients links and this one does
// not.
func mautrixProgram(t *testing.T) *exec.Cmd {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mautrixbot")
	build := exec.Command("go", "build", "-tags", "goolm", "-o", file, "./mautrixbot/program")
	build.Dir = clientsModule
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build mautrix-go's client: %v\n%s", err, said)
	}
	return exec.Command(file)
}

// sdkProgram is the client of matrix-sdk-crypto, in Node.
func sdkProgram(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("node", "bot.mjs")
	cmd.Dir = filepath.Join(clientsModule, "nodebot")
	if _, err := os.Stat(filepath.Join(cmd.Dir, "node_modules", "@matrix-org")); err != nil {
		if os.Getenv("PAWL_WEB") == "1" {
			t.Fatalf("PAWL_WEB=1 requires npm ci in internal/proof/clients/nodebot: %v", err)
		}
		t.Skip("matrix-sdk-crypto is not installed: npm ci in internal/proof/clients/nodebot")
	}
	return cmd
}
