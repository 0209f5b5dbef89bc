package web

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestPackage: the package is packed, installed in a project that has nothing else,
// type-checked and bundled, and each bundle runs in a browser under the strict policy.
func TestPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("with make web")
	}
	folder, project := Package(t), t.TempDir()
	tools, err := filepath.Abs(devTools)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(project, os.DirFS("bundle")); err != nil {
		t.Fatal(err)
	}
	run := func(dir, name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, said)
		}
	}
	run(folder, "npm", "pack", "--silent", "--pack-destination", project)
	packed, err := filepath.Glob(filepath.Join(project, "*.tgz"))
	if err != nil || len(packed) != 1 {
		t.Fatalf("npm pack left %q, %v", packed, err)
	}
	run(project, "npm", "init", "-y")
	run(project, "npm", "pkg", "set", "type=module")
	run(project, "npm", "install", "--offline", "--no-audit", "--no-fund", packed[0])
	run(project, filepath.Join(tools, "node_modules/.bin/tsc"), "-p", ".")
	run(project, "node", "build.mjs", tools)

	browser := Start(t, "")
	server := NewModuleServer(t, folder)
	for _, bundler := range []string{"esbuild", "vite"} {
		t.Run(bundler, func(t *testing.T) {
			files := http.StripPrefix("/"+bundler+"/", http.FileServer(http.Dir(filepath.Join(project, bundler))))
			server.mux.Handle("/"+bundler+"/", strict(files))
			address, asked := server.Address(bundler+"/", bundler)
			defer browser.Open(address).Close()
			if said := server.Wait(asked, 5*time.Minute); asked.Code != 0 || said != "hello, not_shared" {
				t.Fatalf("it ended with %d: %q", asked.Code, said)
			}
		})
	}
}
