// Package web runs programs and tests that are built for js/wasm in Chromium: in pages,
// workers and service workers, which only reach the server of the test.
package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Server gives pages to a browser, and takes what their programs say.
type Server struct {
	*httptest.Server
	t    testing.TB
	mux  *http.ServeMux
	mu   sync.Mutex
	runs map[string]*Run

	actors actors
}

// Run is a program that runs in a page or a worker.
type Run struct {
	ID     string
	Output bytes.Buffer
	Done   chan struct{} // closed when it has ended
	Code   int
}

//go:embed static/run.js
var runScript []byte

// NewServer starts a server that has a program under /program.wasm.
func NewServer(t testing.TB, program string) *Server {
	t.Helper()
	s := &Server{t: t, mux: http.NewServeMux(), runs: make(map[string]*Run)}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	start := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")
	s.ServeProgram("program", program)
	s.mux.HandleFunc("/wasm_exec.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, start) })
	s.mux.HandleFunc("/run.js", script(runScript))
	s.mux.HandleFunc("/page", page(`<script src="/wasm_exec.js"></script><script src="/run.js"></script>`))
	s.mux.HandleFunc("/worker", page(`<script>globalThis.worker = new Worker("/run.js" + location.search)</script>`))
	s.mux.HandleFunc("/service", page(`<script>
const register = () => navigator.serviceWorker.register("/run.js" + location.search, { scope: "/of/" + new URLSearchParams(location.search).get("id") });
globalThis.wake = () => register().then((r) => { (r.active || r.waiting || r.installing).postMessage("run"); });
wake();
</script>`))
	s.mux.HandleFunc("/elsewhere", page(""))
	s.mux.HandleFunc("/out", s.takeOutput)
	s.mux.HandleFunc("/exit", s.takeExit)
	s.serveActors()
	s.Server = httptest.NewServer(s.mux)
	t.Cleanup(func() {
		s.CloseClientConnections() // a service worker may wait for a step still
		s.Close()
	})
	return s
}

// ServeProgram lets pages run a program by a name, as it is shipped.
func (s *Server) ServeProgram(name, file string) {
	file = served(s.t, file)
	s.mux.HandleFunc("/"+name+".wasm", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
}

func script(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Write(body)
	}
}

func page(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><meta charset=utf-8><title>pawl</title>%s", body)
	}
}

func (s *Server) run(r *http.Request) *Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[r.URL.Query().Get("id")]
}

func (s *Server) takeOutput(_ http.ResponseWriter, r *http.Request) {
	run := s.run(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	io.Copy(io.MultiWriter(&run.Output, progress()), r.Body)
}

// progress is where the output of programs goes while they run, for one who waits.
func progress() io.Writer {
	if testing.Verbose() {
		return os.Stderr
	}
	return io.Discard
}

func (s *Server) takeExit(_ http.ResponseWriter, r *http.Request) {
	run := s.run(r)
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	if err != nil {
		code = -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-run.Done: // a page that was loaded again
	default:
		run.Code = code
		close(run.Done)
	}
}
