package kvtest_test

import (
	"fmt"
	"io/fs"
	"log"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/memkv"
)

// A test of an engine opens empty stores for the suite.
func ExampleRun() {
	_ = func(t *testing.T) { // TestConformance
		kvtest.Run(t, func(testing.TB) kv.Store { return memkv.New() })
	}
}

// An engine in another language runs the scripts: a program of its own reads them,
// or a copy that another writes.
func ExampleScripts() {
	scripts := kvtest.Scripts()
	names, err := fs.Glob(scripts, "refusal/*.txt")
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range names {
		fmt.Println(name)
	}
	text, err := fs.ReadFile(scripts, "turn/invalid.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	// Output:
	// refusal/absent-again.txt
	// refusal/applied-before.txt
	// refusal/empty-again.txt
	// refusal/not-refused.txt
	// # A turn that is refused holds up nobody.
	// A turn k ""
	// A ends -> invalid
	// B turn k
	// B granted
	// B release
	// final
}
