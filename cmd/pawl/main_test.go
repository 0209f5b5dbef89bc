package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// The race detector would have each command wait a second before it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	testscript.Main(m, map[string]func(){"pawl": main})
}

// TestScripts runs testdata/script: what a user types and gets.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      cmdExits,
			"jsonget":    cmdJSONGet,
			"alter":      cmdAlter,
			"line":       cmdLine,
			"longer":     cmdLonger,
			"letters":    cmdLetters,
			"received":   cmdReceived,
			"ownwitness": cmdOwnWitness,
			"halfdelete": cmdHalfDelete,
			"made":       cmdMade,
			"damage":     cmdDamage,
			"tables":     cmdTables,
			"page":       cmdPage,
			"holding":    cmdHolding,
			"mode":       cmdMode,
			"lag":        cmdLag,
			"blank":      cmdBlank,
			"roomkeys":   cmdRoomKeys,
			"forget":     cmdForget,
			"rounds":     cmdRounds,
		},
	})
}
