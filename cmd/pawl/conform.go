package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv/kvtest/conform"
)

// errNonconforming: the suite has found something, and has said what.
var errNonconforming = errors.New("the store does not keep the contract of package kv: see what failed above")

// newConform returns the command that tests somebody else's store. The suite itself is
// this program too, called as "conform suite": it reports as tests do, and ends its
// process.
func newConform() *cobra.Command {
	var suite conform.Suite
	cmd := &cobra.Command{
		Use:   "conform [flags] -- PROGRAM [ARGUMENT...]",
		Short: "Test a store in another language",
		Long: `Run the suite of the storage contract on a store that is a program of any language:
it is started for each store that is opened, and answers calls on its standard
input and output, a line of JSON each, as docs/port/conform.md specifies them.

The report is that of go test. It exits with 1 if a check fails.`,
		Example: `  pawl conform -v --run store/isolation -- python3 examples/python/store.py`,
		Args:    cli.Arguments(aProgram),
		RunE:    func(cmd *cobra.Command, args []string) error { return conformIn(cmd, args) },
	}
	suiteCmd := &cobra.Command{
		Use: "suite", Short: "Be the suite", Hidden: true, Args: cli.Arguments(aProgram),
		Run: func(_ *cobra.Command, args []string) {
			suite.Program = args
			suite.Main()
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&suite.Checks, "run", "", "only checks whose names match: regular expressions with slashes between")
	flags.BoolVarP(&suite.Verbose, "verbose", "v", false, "name each check")
	flags.BoolVar(&suite.Shared, "shared", false, "also test what several processes do that have one store open")
	flags.Uint64Var(&suite.Seed, "seed", 0, "of the random histories (a new one if not given)")
	cmd.AddCommand(suiteCmd)
	return cmd
}

func aProgram(_ *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("give a program after --")
	}
	return nil
}

// conformIn runs the suite as a process in a directory for its stores, which goes with
// it.
func conformIn(cmd *cobra.Command, args []string) (err error) {
	program, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("the program to test: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pawl-conform-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	of := func(flag string) string { return "--" + flag + "=" + cmd.Flag(flag).Value.String() }
	suite := exec.CommandContext(cmd.Context(), self, append([]string{"conform", "suite", of("run"), of("verbose"), of("shared"), of("seed"), "--", program}, args[1:]...)...)
	suite.Stdout, suite.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	suite.Env = append(os.Environ(), "TMPDIR="+dir, "TMP="+dir)
	switch err := suite.Run(); {
	case cmd.Context().Err() != nil:
		return cmd.Context().Err()
	case suite.ProcessState != nil && suite.ProcessState.ExitCode() == 1:
		return errNonconforming
	case err != nil:
		return fmt.Errorf("the suite: %w", err)
	}
	return nil
}
