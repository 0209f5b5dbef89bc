package web

import (
	"embed"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Package is the npm package of web/, built once for all tests.
func Package(t testing.TB) (folder string) {
	t.Helper()
	needDevTools(t)
	folder, err := packageOnce()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

var packageOnce = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(built.dir, "package")
	cmd := exec.Command("node", devTools+"/build.mjs", folder)
	cmd.Stderr = os.Stderr
	return folder, cmd.Run()
})

// devTools is the folder of what builds and checks the package.
const devTools = mainModule + "/web/dev"

// mainModule is the folder of the main module.
const mainModule = "../../.."

// needDevTools skips a test where Node or what npm installs is missing.
func needDevTools(t testing.TB) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(devTools + "/node_modules")
	}
	switch {
	case err != nil && os.Getenv("PAWL_WEB") == "1":
		t.Fatalf("PAWL_WEB=1 requires Node 20 and \"npm ci\" in web/dev: %v", err)
	case err != nil:
		t.Skipf("nothing of the JavaScript module was tested (Node 20, and \"npm ci\" in web/dev): %v", err)
	}
}

//go:embed module/*.js
var moduleFiles embed.FS

// strictPolicy is a content security policy under which nothing runs but files of the server,
// and WebAssembly.
const strictPolicy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"

// kept lets a browser keep what it is given, as a site does whose files never change under
// their names: only then does it keep a program that it has compiled, too.
func kept(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		h.ServeHTTP(w, r)
	})
}

func strict(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", strictPolicy)
		h.ServeHTTP(w, r)
	})
}

// NewModuleServer starts a server that has the package under /pawl/, and pages and workers
// that run its tests, all under the strict policy.
func NewModuleServer(t testing.TB, folder string) *Server {
	s := NewServer(t, filepath.Join(folder, "pawl.wasm"))
	file := func(path string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	}
	s.mux.Handle("/pawl/", kept(strict(http.StripPrefix("/pawl/", http.FileServer(http.Dir(folder))))))
	s.mux.Handle("/module/", strict(http.FileServerFS(moduleFiles)))
	s.mux.Handle("/module/calls.txt", strict(file(mainModule+"/cmd/libpawl/ctest/calls.txt")))
	s.mux.Handle("/module/calls.classic.js", strict(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveClassicCalls(w, filepath.Join(folder, "calls.js"))
	})))
	for where, script := range map[string]string{"page": "main", "worker": "worker", "service": "register"} {
		s.mux.Handle("/module/"+where, strict(page(`<script type="module" src="/module/`+script+`.js"></script>`)))
	}
	return s
}

// serveClassicCalls gives the table of calls to a worker without modules.
func serveClassicCalls(w http.ResponseWriter, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/javascript")
	w.Write([]byte("var calls = {};\n" + strings.ReplaceAll(string(text), "export const ", "calls.")))
}
