package main

// commandMutants break the command and its files, the root package, and the examples' loop.
var commandMutants = []mutant{
	{
		name: "a store is opened without the witness that its engine keeps",
		file: "options.go",
		old:  "case o.blind || engines == nil:", new: "case true:",
		test: "TestREADMEExampleCopied|TestStoresFromBefore", pkgs: []string{"."},
	},
	{
		name: "the command acknowledges what went into a pipe",
		file: "cmd/pawl/output.go",
		old:  "if !info.Mode().IsRegular() || isNameless(info) {", new: "if info == nil {",
		test: "TestNothingUnreadIsAcknowledged", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "the command acknowledges what it could not print",
		file: "cmd/pawl/jsonl.go",
		old:  "errors.Join(err, printErr, s.out.deliver())", new: "errors.Join(err, printErr)",
		test: "TestNothingUnreadIsAcknowledged", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "a stream goes on when its account cannot be read",
		file: "cmd/pawl/jsonl.go",
		old:  "_, fault = s.machine.Identity(ctx)", new: "",
		test: "TestStreamEnds", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "the outcome of one body is told of all",
		file: "cmd/pawl/keys.go",
		old:  "if err := c.report(cmd, m, sent.upload); err != nil {", new: "if err := c.reportAll(cmd, m); err != nil {",
		test: "TestReportsAtOnce", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "the command acknowledges what a pipe may lose",
		file: "cmd/pawl/output.go",
		old:  "if !info.Mode().IsRegular() || isNameless(info) {", new: "if false && isNameless(info) {",
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "an error has more lines than one",
		file: "cmd/pawl/plain.go",
		old:  `return strings.Join(kept, "; ")`, new: `return strings.Join(kept, "\n")`,
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "a direct key need not be signed",
		file: "cmd/pawl/picklelist.go",
		old:  "source.Provenance == group.Direct && !in.Signed {", new: "source.Provenance == group.Bundle && !in.Signed {",
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "inspect floods with rooms that nobody asked for",
		file: "cmd/pawl/inspectclient.go",
		old:  "if show.rooms {", new: "if show.rooms || !show.rooms {",
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "inspect lets a room's name write on the screen",
		file: "cmd/pawl/inspectclient.go",
		old:  `"  %s\n", cli.Shown(fmt.Sprintf(format, args...)))`, new: `"  %s%s\n", cli.Shown(""), fmt.Sprintf(format, args...))`,
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "a client forgets the response that it died over",
		file: "examples/client/kept.go",
		old:  "c.unhandled = &k", new: "_ = &k",
		pkgs: []string{"./examples/client"},
	},
	{
		name: "a client keeps what is no response",
		file: "examples/client/loop.go",
		old:  "return errors.Join(err, c.done()) // of a proxy", new: "return err // of a proxy",
		pkgs: []string{"./examples/client"},
	},
	{
		name: "a client says again what it said under another name",
		file: "examples/client/say.go",
		old:  "+ url.PathEscape(name)", new: `+ url.PathEscape(name + time.Now().Format("150405.000000000"))`,
		pkgs: []string{"./examples/client"},
	},
	{
		name: "a name moves the cursor of who looks at it",
		file: "internal/cli/shown.go",
		old:  "return !unicode.IsPrint(r) }", new: "return r == 0 && !unicode.IsPrint(r) }",
		pkgs: []string{"./internal/cli", "./cmd/pawl"},
	},
	{
		name: "a file that is made takes the place of another",
		file: "internal/files/whole.go",
		old:  "MoveToFree(w.Name(), w.path)", new: "os.Rename(w.Name(), w.path)",
		test: "TestWhole", pkgs: []string{"./internal/files"},
	},
	{
		name: "a private copy of a process that lives is taken for one of a dead process",
		file: "internal/files/private/private.go",
		old:  "err == nil && locked && leadsTo(lock)", new: "err == nil && (locked && leadsTo(lock) || true)",
		test: "TestRemoveDead", pkgs: []string{"./internal/files/private"},
	},
	{
		name: "a private directory that was removed before it was locked is used",
		file: "internal/files/private/private.go",
		old:  "err == nil && os.SameFile(opened, there)", new: "err != nil || os.SameFile(opened, there)",
		test: "TestPrivate", pkgs: []string{"./internal/files/private"},
	},
	{
		name: "a private copy of another user is removed",
		file: "internal/files/private/private.go",
		old:  "if info, err := e.Info(); err != nil || !files.IsOwn(info) {", new: "if info, err := e.Info(); err != nil || info == nil {",
		test: "TestCopiesOfKilledLooks", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "a key file that others may read is read",
		file: "keyfile/file.go",
		old:  "mode&0o077 != 0 &&", new: "false &&",
		pkgs: []string{"./keyfile"},
	},
	{
		name: "a key file is in its place before it is on the disk",
		file: "keyfile/file.go",
		old:  "errors.Join(err, syncFile(file), file.Close())", new: "errors.Join(err, file.Close())",
		pkgs: []string{"./keyfile"},
	},
	{
		name: "a store that is not empty gets a new key",
		file: "keyfile/lock.go",
		old:  "if err == nil && !key.found && empty {", new: "if err == nil && !key.found && (empty || true) {",
		pkgs: []string{"./keyfile"},
	},
	{
		name: "another key file is removed",
		file: "keyfile/file.go",
		old:  "|| !now.found || !now.same(k) {", new: "|| !now.found {",
		pkgs: []string{"./keyfile"},
	},
	{
		name: "the password in a URL is taken from the command line",
		file: "cmd/pawl/pgplace.go",
		old:  "if _, has := u.User.Password(); has || ", new: "if _, has := u.User.Password(); has && false || ",
		test: "TestNoPasswordIsShown|TestServerScripts", pkgs: []string{"./cmd/pawl"},
	},
}
