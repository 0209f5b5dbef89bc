package main

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pawlkv/pawl/internal/cli"
)

// newRoot returns the command with all its subcommands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "pawl",
		Short: "Keep a Matrix device's encryption state where any number of processes can use it",
		Long: `Pawl keeps a Matrix device's encryption state (identity keys, one-time keys, Olm
sessions) in a store, sealed, and advances it by transactions, so that nothing
that uses the device at the same time can wedge a session.

STORE is a directory, or sqlite:FILE for a store in an SQLite file, or
  ` + pgForm + `  in a PostgreSQL server,
  ` + etcdForm + `           in an etcd cluster.
The files that Pawl keeps with a store are STORE/pawl.key, STORE/pawl.witness, and
FILE.key, FILE.witness; those of a server's are in pawl in the user's configuration
directory, and each machine needs the same key there, or a passphrase. A password
for the server is not taken in the URL: give it in PGPASSWORD, or in a file that
PGPASSFILE names; for etcd in ETCDCTL_PASSWORD, or in a file, by ?passfile=FILE.
With ?cacert=FILE, or cert=FILE&key=FILE, or tls=true, etcd is spoken to by TLS.

Exit status: 0 done, 1 failed (one line on standard error says why), 2 usage,
130 interrupted.
Keys, messages and plaintexts in JSON are base64, and printed without padding.`,
		Args:                       cli.Arguments(cli.NoSuchCommand),
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE:          prepare,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef("%w: see '%s --help'", inWords(err), cmd.CommandPath())
	})
	cli.BindLog(root)
	root.AddCommand(
		newInit(), newKeys(), newEncrypt(), newDecrypt(), newAck(),
		newRoomKeys(), newInspect(), newCheck(), newRepair(), newPasswd(), newSweep(), newDelete(), newRecover(), newConvert(), newImport(), newConform(),
		newVersion(),
	)
	root.AddCommand(benchCommands()...)
	return root
}

// inWords says of a flag's value what it is to be, where the library says how it was
// read.
func inWords(err error) error {
	invalid := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &invalid) {
		return err
	}
	want := map[string]string{"int": "a number", "bool": "true or false", "duration": "a time as 1m30s"}[invalid.GetFlag().Value.Type()]
	if want == "" {
		return err
	}
	return instead(err, "--%s %q: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
}

// prepare runs before every command.
func prepare(cmd *cobra.Command, _ []string) error {
	if err := checkFlags(cmd); err != nil {
		return err
	}
	return cli.StartLog(cmd)
}

// checkFlags makes what cobra has to say about flags a usage error.
func checkFlags(cmd *cobra.Command) error {
	err := cmd.ValidateRequiredFlags()
	if err == nil {
		err = cmd.ValidateFlagGroups()
	}
	if err != nil {
		return cli.Usagef("%s: see '%s --help'", flagsWords(err), cmd.CommandPath())
	}
	return nil
}

// What cobra has to say about flags that belong together.
var (
	flagsOneOf    = regexp.MustCompile(`^at least one of the flags in the group \[(.*)\] is required$`)
	flagsRequired = regexp.MustCompile(`^required flag\(s\) (.*) not set$`)
	flagsGiven    = regexp.MustCompile(`; \[(.*)\] were all set$`)
)

// flagsWords says it as one would type it.
func flagsWords(err error) string {
	named := func(names []string, between string) string { return "--" + strings.Join(names, between+"--") }
	text := err.Error()
	if m := flagsGiven.FindStringSubmatch(text); m != nil {
		return named(strings.Fields(m[1]), " and ") + " do not go together"
	}
	if m := flagsOneOf.FindStringSubmatch(text); m != nil {
		return "give " + named(strings.Fields(m[1]), " or ")
	}
	if m := flagsRequired.FindStringSubmatch(text); m != nil {
		return "give " + named(strings.Split(strings.ReplaceAll(m[1], `"`, ""), ", "), " and ")
	}
	return text
}

type versionJSON struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which pawl this is",
		Args:  cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := thisVersion()
			if asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "pawl %s (%s, %s)\n", v.Version, v.Go, v.Platform)
			return err
		},
	}
	cli.BindJSON(cmd, &asJSON)
	return cmd
}

func thisVersion() versionJSON {
	v := versionJSON{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}
