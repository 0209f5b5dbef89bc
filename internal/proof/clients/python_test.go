package clients

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// pythonKind is the client of pybot, on Pawl's C library.
const pythonKind = "python"

// mixedKind is a device of three such processes and one of package pawlbot, on one store.
const mixedKind = "mixed"

var mixed = []string{pythonKind, pythonKind, pythonKind, "pawl-sqlite"}

var pythonKills = flag.Int("python.kills", 4, "processes that are killed in TestPythonStory")

// needPython skips a test without the C library, or fails it where that is required.
func needPython(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("python3")
	if err == nil {
		_, err = os.Stat(os.Getenv("PAWL_LIBRARY"))
	}
	switch {
	case err == nil:
	case os.Getenv("PAWL_C") != "" && os.Getenv("PAWL_LIBRARY") != "":
		t.Fatalf("clients in Python cannot be run: %v", err)
	default:
		t.Skipf("without clients in Python: %v; make test-c builds the C library and names it by PAWL_LIBRARY", err)
	}
}

// TestPythonStory: three processes in Python and one in Go have one device, share, send
// and read messages of a room with mautrix-go's, and are killed meanwhile. No clock is
// moved: what a process that was killed had to send is left to it for half a minute.
func TestPythonStory(t *testing.T) {
	needPython(t)
	y, r := tell(t, cast{mixedKind, "mautrix"}, object{"rotation_period_msgs": 4}), chance(t)
	y.meet(bob)
	y.talk("before")
	for i := range *pythonKills {
		victim := y.mine.any(r)
		var sending []<-chan struct{}
		for range y.mine.processes {
			sending = append(sending, y.sending(y.mine.next(), fmt.Sprint("of round ", i)))
		}
		y.says(y.peers[0], fmt.Sprint("for round ", i))
		y.moment(r)
		y.mine.kill(victim)
		for _, ended := range sending {
			<-ended
		}
		y.mine.revive(victim)
		y.mine.check()
	}
	y.settle()
	y.talk("all is quiet")
	y.tellCounts()
}
