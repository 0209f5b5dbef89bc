package layers

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// clients are programs that import pawl and an engine: what they link of other
// modules, and of the standard library what many a client would rather not.
var clients = map[string][]string{
	"kv/memkv": append([]string{"github.com/tidwall/btree"}, everyClient...),
	"kv/sqlitekv": append([]string{
		"github.com/gofrs/flock", "github.com/ncruces/go-sqlite3", "github.com/ncruces/go-sqlite3-wasm/v6",
		"github.com/ncruces/julianday",
	}, everyClient...),
	"kv/badgerkv": append([]string{
		"github.com/gofrs/flock", "golang.org/x/sync",
		"github.com/cespare/xxhash/v2", "github.com/dgraph-io/badger/v4", "github.com/dgraph-io/ristretto/v2",
		"github.com/dustin/go-humanize", "github.com/go-logr/logr", "github.com/go-logr/stdr",
		"github.com/google/flatbuffers", "github.com/klauspost/compress", "go.opentelemetry.io/auto/sdk",
		"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/trace",
		"google.golang.org/protobuf", "net/http", // Badger's, by way of expvar
	}, everyClient...),
	// The only one with gRPC, which the others are held against.
	"kv/etcdkv": append([]string{
		"github.com/coreos/go-semver", "github.com/coreos/go-systemd/v22", "github.com/golang/protobuf",
		"github.com/grpc-ecosystem/grpc-gateway/v2", "go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/pkg/v3",
		"go.etcd.io/etcd/client/v3", "go.uber.org/multierr", "go.uber.org/zap", "golang.org/x/net", "golang.org/x/text",
		"google.golang.org/genproto/googleapis/api", "google.golang.org/genproto/googleapis/rpc",
		"google.golang.org/grpc", "google.golang.org/protobuf", "net/http", "html/template",
	}, everyClient...),
	"kv/pgkv": append([]string{
		"github.com/jackc/pgpassfile", "github.com/jackc/pgservicefile", "github.com/jackc/pgx/v5", "github.com/jackc/puddle/v2",
		"golang.org/x/sync", "golang.org/x/text", "database/sql", // pgx's, for its types
	}, everyClient...),
}

var everyClient = []string{
	"filippo.io/edwards25519", "github.com/cenkalti/backoff/v5", "github.com/cloudflare/circl",
	"github.com/hashicorp/golang-lru/v2", "github.com/vmihailenco/msgpack/v5", "github.com/vmihailenco/tagparser/v2",
	"golang.org/x/crypto", "golang.org/x/sys",
}

// heavy are packages of the standard library that are worth a word.
var heavy = []string{"net/http", "testing", "database/sql", "html/template"}

// notLinked are the folders of this module that no client links.
var notLinked = []string{"bench/...", "cmd/...", "examples/...", "internal/cli", "internal/hs", "internal/proof/...", "kv/kvtest/...", "kv/sharekv/sharetest", "kv/pgkv/pgtest", "vectors"}

func TestClientsLinkWhatTheyNeed(t *testing.T) {
	for engine, want := range clients {
		judgeLinks(t, "linux/amd64", engine, want)
	}
}

// TestBrowsersLinkWhatTheyNeed: a page loads all of it.
func TestBrowsersLinkWhatTheyNeed(t *testing.T) {
	for _, system := range []string{"js/wasm", "wasip1/wasm"} {
		native := func(from string) bool { return from == "golang.org/x/sys" || from == "github.com/cloudflare/circl" }
		judgeLinks(t, system, "kv/memkv", slices.DeleteFunc(slices.Clone(clients["kv/memkv"]), native))
	}
}

func judgeLinks(t *testing.T, system, engine string, want []string) {
	t.Helper()
	var links []string
	for _, line := range deps(t, system, module, module+"/"+engine) {
		path, from, foreign := strings.Cut(line, " ")
		name, ours := local(path)
		switch {
		case ours && covers(notLinked, name):
			t.Errorf("a client of %s on %s links %s", engine, system, path)
		case ours:
		case foreign:
			links = append(links, from)
		case slices.Contains(heavy, path):
			links = append(links, path)
		}
	}
	slices.Sort(links)
	links = slices.Compact(links)
	slices.Sort(want)
	if !slices.Equal(links, want) {
		t.Errorf("a client of %s on %s links\n%q, want\n%q: leave it out, or add it to clients", engine, system, links, want)
	}
}

// deps returns all packages that a program of these imports links on a system, each
// with its module unless it is of the standard library.
func deps(t *testing.T, system string, imports ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{.ImportPath}}{{with .Module}} {{.Path}}{{end}}"}, imports...)...)
	cmd.Dir = root
	goos, goarch, _ := strings.Cut(system, "/")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch) // what is linked differs a little
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
