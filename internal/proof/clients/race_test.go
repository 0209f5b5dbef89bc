package clients

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

var withRace = flag.Bool("clients.race", false, "run Pawl's processes with the race detector, which needs a C compiler")

// raced is Pawl's client built with the race detector. The others are not: they are
// slow enough, and what they race for is not ours.
var raced = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "raced")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "pawl")
	cmd := exec.Command("go", "build", "-race", "-o", name, "./pawlbot/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("building with the race detector: %w: %s", err, said), os.RemoveAll(dir))
	}
	return name, nil
})

// removeRaced removes what was built.
func removeRaced() {
	if !*withRace {
		return
	}
	if name, err := raced(); err == nil {
		_ = os.RemoveAll(filepath.Dir(name)) // a temporary directory
	}
}
