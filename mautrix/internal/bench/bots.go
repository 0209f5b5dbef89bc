package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"maunium.net/go/mautrix"

	"github.com/pawlkv/pawl/matrix"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// mostMore is how much more many bots in one store may have than one.
const mostMore = 40 << 20

// memory compares what is resident of a process with many bots in one store, and with one.
func memory(ctx context.Context, w io.Writer, self, dir string, count, repeats int) error {
	at, err := newServer()
	if err != nil {
		return err
	}
	defer at.close()
	for _, e := range engines {
		found := map[int][]float64{}
		for range repeats {
			for _, n := range []int{1, count} {
				bytes, err := resident(ctx, self, dir, at.URL, e.name, n)
				if err != nil {
					return err
				}
				found[n] = append(found[n], bytes)
			}
		}
		one, many := median(found[1]), median(found[count])
		fmt.Fprintf(w, "%d bots in one store, %s: %.1f MB resident, one: %.1f MB; %.1f MB more, at most %.1f: %s\n",
			count, e.name, many/(1<<20), one/(1<<20), (many-one)/(1<<20), float64(mostMore)/(1<<20), verdict(many-one <= mostMore))
	}
	return nil
}

// resident runs a process with bots, and returns how many bytes of it are resident.
func resident(ctx context.Context, self, dir, url, engine string, n int) (float64, error) {
	dir, err := os.MkdirTemp(dir, "pawl-bots-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, self, "bots", engine, strconv.Itoa(n), dir, url)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

var errBots = errors.New("usage: bench bots ENGINE NUMBER DIR URL")

// bots is such a process: each bot has begun, and has taken in a response. It prints what is
// resident then, once what is garbage was given back.
func bots(ctx context.Context, args []string) (err error) {
	if len(args) != 4 {
		return errBots
	}
	i := slices.IndexFunc(engines, func(e engine) bool { return e.name == args[0] })
	n, wrong := strconv.Atoi(args[1])
	if i < 0 || wrong != nil {
		return errBots
	}
	k, store, err := engines[i].opened(ctx, filepath.Clean(args[2]))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	for i := range n {
		c, _, err := newClient(&server{URL: args[3]}, matrix.UserID(fmt.Sprintf("@bot%d:example.org", i)), matrix.DeviceID(fmt.Sprintf("BOT%d", os.Getpid())))
		if err != nil {
			return err
		}
		h, err := pawlmautrix.NewCryptoHelper(c, []byte("not used"), store)
		if err != nil {
			return err
		}
		defer h.Close()
		if err := h.Init(ctx); err != nil {
			return err
		}
		if err := syncOnce(ctx, c); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Errorf("how much is resident is read on Linux only: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, is := strings.CutPrefix(line, "VmRSS:"); is {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			fmt.Println(kib << 10)
			return err
		}
	}
	return errors.New("/proc/self/status does not say how much is resident")
}

// syncOnce takes in a response, as SyncWithContext does.
func syncOnce(ctx context.Context, c *mautrix.Client) error {
	since, err := c.Store.LoadNextBatch(ctx, c.UserID)
	if err != nil {
		return err
	}
	r, err := c.FullSyncRequest(ctx, mautrix.ReqSync{Since: since})
	if err != nil {
		return err
	}
	if err := c.Store.SaveNextBatch(ctx, c.UserID, r.NextBatch); err != nil {
		return err
	}
	return c.Syncer.ProcessResponse(ctx, r, since)
}
