package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/roomkeyfile"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// coded are the errors that reach a caller, by package and name, each with its
// code.
var coded = map[string]struct {
	err  error
	code pawl.Code
}{
	"pawl.ErrNoKey":             {pawl.ErrNoKey, "no_key"},
	"pawl.ErrAccountExists":     {pawl.ErrAccountExists, "account_exists"},
	"pawl.ErrNoAccount":         {pawl.ErrNoAccount, "no_account"},
	"pawl.ErrMessageType":       {pawl.ErrMessageType, "message_type"},
	"pawl.ErrUnknownSession":    {pawl.ErrUnknownSession, "unknown_session"},
	"pawl.ErrUnknownOneTimeKey": {pawl.ErrUnknownOneTimeKey, "unknown_one_time_key"},
	"pawl.ErrAlreadyProcessed":  {pawl.ErrAlreadyProcessed, "already_processed"},
	"pawl.ErrUntried":           {pawl.ErrUntried, "untried"},
	"pawl.ErrNoSession":         {pawl.ErrNoSession, "no_session"},
	"pawl.ErrSelf":              {pawl.ErrSelf, "self"},
	"pawl.ErrIdentity":          {pawl.ErrIdentity, "identity"},
	"pawl.ErrImport":            {pawl.ErrImport, "import"},
	"pawl.ErrImportBegun":       {pawl.ErrImportBegun, "import_begun"},
	"pawl.ErrPickleKey":         {pawl.ErrPickleKey, "pickle_key"},
	"pawl.ErrPickleVersion":     {pawl.ErrPickleVersion, "pickle_version"},
	"pawl.ErrPickleDamaged":     {pawl.ErrPickleDamaged, "pickle_damaged"},
	"pawl.ErrNeedsRecovery":     {pawl.ErrNeedsRecovery, "needs_recovery"},
	"kv/copykv.ErrDiffers":      {copykv.ErrDiffers, "copy_differs"},
	"keyfile.ErrDamaged":        {keyfile.ErrDamaged, "no_key"},
	"keyfile.ErrExposed":        {keyfile.ErrExposed, "no_key"},
	"pawl.ErrNotErased":         {pawl.ErrNotErased, "not_erased"},
	"pawl.ErrNotEmpty":          {pawl.ErrNotEmpty, "not_empty"},
	"pawl.ErrNotRetired":        {pawl.ErrNotRetired, "not_retired"},
	"pawl.ErrUnwitnessed":       {pawl.ErrUnwitnessed, "unwitnessed"},
	"pawl.ErrOneTimeKeyCount":   {pawl.ErrOneTimeKeyCount, "key_count"},
	"pawl.ErrMovedOn":           {pawl.ErrMovedOn, "moved_on"},
	"pawl.ErrNothingToMove":     {pawl.ErrNothingToMove, "nothing_to_move"},
	"pawl.ErrNoKeyring":         {pawl.ErrNoKeyring, "keyring"},
	"pawl.ErrSetAside":          {pawl.ErrSetAside, "set_aside"},
	"pawl.ErrFormat1":           {pawl.ErrFormat1, "format1"},
	"pawl.ErrNoRequest":         {pawl.ErrNoRequest, "no_request"},
	"pawl.ErrDeviceTaken":       {pawl.ErrDeviceTaken, "device_taken"},
	"pawl.ErrAnswer":            {pawl.ErrAnswer, "answer"},
	"pawl.UndecryptableError":   {&pawl.UndecryptableError{Tried: 1, Err: ratchet.ErrMAC}, "mac"},

	"roomkeyfile.ErrPassphrase": {roomkeyfile.ErrPassphrase, "passphrase"},
	"roomkeyfile.ErrFormat":     {roomkeyfile.ErrFormat, "room_key_file"},
	"roomkeyfile.ErrCut":        {roomkeyfile.ErrCut, "room_key_file"},
	"roomkeyfile.ErrVersion":    {roomkeyfile.ErrVersion, "room_key_file"},
	"roomkeyfile.ErrRounds":     {roomkeyfile.ErrRounds, "room_key_file"},
	"roomkeyfile.ErrChanged":    {roomkeyfile.ErrChanged, "room_key_file_changed"},
	"roomkeyfile.ErrLocked":     {roomkeyfile.ErrLocked, "room_key_file_use"},
	"roomkeyfile.ErrClosed":     {roomkeyfile.ErrClosed, "room_key_file_use"},
	"roomkeyfile.ErrEmpty":      {roomkeyfile.ErrEmpty, "room_key_file_use"},

	"pawl.ErrPlain":        {pawl.ErrPlain, "plain"},
	"pawl.ErrNotShared":    {pawl.ErrNotShared, "not_shared"},
	"pawl.NotSharedError":  {&pawl.NotSharedError{}, "not_shared"},
	"pawl.ErrRotate":       {pawl.ErrRotate, "rotate"},
	"pawl.RotateError":     {&pawl.RotateError{}, "rotate"},
	"group.ErrSettings":    {group.ErrSettings, "settings"},
	"pawl.ErrContent":      {pawl.ErrContent, "content"},
	"pawl.ErrAlgorithm":    {pawl.ErrAlgorithm, "algorithm"},
	"pawl.ErrSessionID":    {pawl.ErrSessionID, "session_id"},
	"pawl.ErrOtherRoom":    {pawl.ErrOtherRoom, "other_room"},
	"pawl.ErrNotRequested": {pawl.ErrNotRequested, "not_requested"},
	"pawl.ErrUnsettled":    {pawl.ErrUnsettled, "unsettled"},
	"pawl.ErrOtherUser":    {pawl.ErrOtherUser, "other_user"},
	"pawl.ErrNobodyToAsk":  {pawl.ErrNobodyToAsk, "nobody_to_ask"},
	"pawl.ErrReplay":       {pawl.ErrReplay, "replay"},
	"pawl.ErrExtra":        {pawl.ErrExtra, "extra"},
	"pawl.ErrForgetAll":    {pawl.ErrForgetAll, "forget_all"},
	"pawl.ErrProvenance":   {pawl.ErrProvenance, "provenance"},
	"pawl.ErrContradicts":  {pawl.ErrContradicts, "contradicts"},

	"pawl.ErrResponse":    {pawl.ErrResponse, "response"},
	"pawl.ErrEvent":       {pawl.ErrEvent, "event"},
	"pawl.ErrEventSize":   {pawl.ErrEventSize, "event_size"},
	"pawl.ErrNotOlm":      {pawl.ErrNotOlm, "not_olm"},
	"pawl.ErrNotForUs":    {pawl.ErrNotForUs, "not_for_us"},
	"pawl.ErrSenderKey":   {pawl.ErrSenderKey, "other_sender"},
	"pawl.ErrPayload":     {pawl.ErrPayload, "payload"},
	"pawl.PayloadError":   {&pawl.PayloadError{Field: "sender"}, "payload"},
	"pawl.ErrUnencrypted": {pawl.ErrUnencrypted, "unencrypted"},

	"group.ErrMalformed":  {group.ErrMalformed, "malformed"},
	"group.ErrVersion":    {group.ErrVersion, "version"},
	"group.VersionError":  {&group.VersionError{What: "message"}, "version"},
	"group.ErrSignature":  {group.ErrSignature, "signature"},
	"group.ErrMAC":        {group.ErrMAC, "mac"},
	"group.ErrTooEarly":   {group.ErrTooEarly, "too_early"},
	"group.IndexError":    {&group.IndexError{}, "too_early"},
	"group.ErrExhausted":  {group.ErrExhausted, "exhausted"},
	"group.ErrNoKey":      {group.ErrNoKey, "no_room_key"},
	"group.ErrFormat":     {group.ErrFormat, "corrupt"},
	"group.ErrNewer":      {group.ErrNewer, "newer"},
	"group.ErrSource":     {group.ErrSource, "provenance"},
	"group.ErrForgotten":  {group.ErrForgotten, "forgotten"},
	"group.ErrNotice":     {group.ErrNotice, "content"},
	"group.WithheldError": {&group.WithheldError{Err: group.ErrNoKey}, "no_room_key"},

	"account.ErrFormat":    {account.ErrFormat, "corrupt"},
	"account.ErrVersion":   {account.ErrVersion, "newer"},
	"account.ErrKey":       {account.ErrKey, "key"},
	"account.ErrRetired":   {account.ErrRetired, "retired"},
	"account.ErrSignature": {account.ErrSignature, "signature"},
	"account.ErrUnsigned":  {account.ErrUnsigned, "unsigned"},
	"account.ErrSender":    {account.ErrSender, "sender_mismatch"},
	"account.SenderError":  {&account.SenderError{}, "sender_mismatch"},

	"matrix.ErrUserID":   {matrix.ErrUserID, "user_id"},
	"matrix.ErrDeviceID": {matrix.ErrDeviceID, "device_id"},
	"matrix.ErrRoomID":   {matrix.ErrRoomID, "room_id"},
	"matrix.ErrEventID":  {matrix.ErrEventID, "event_id"},

	"otk.ErrFormat":    {otk.ErrFormat, "corrupt"},
	"otk.ErrVersion":   {otk.ErrVersion, "newer"},
	"otk.ErrMalformed": {otk.ErrMalformed, "key_id"},
	"otk.ErrStage":     {otk.ErrStage, "key_stage"},
	"otk.ErrUnknownID": {otk.ErrUnknownID, "unknown_key_id"},
	"otk.ErrFull":      {otk.ErrFull, "keys_full"},
	"otk.ErrExhausted": {otk.ErrExhausted, "keys_exhausted"},
	"otk.ErrUsed":      {otk.ErrUsed, "one_time_key_used"},
	"otk.UsedError":    {&otk.UsedError{}, "one_time_key_used"},

	"session.ErrFormat":     {session.ErrFormat, "corrupt"},
	"session.ErrVersion":    {session.ErrVersion, "newer"},
	"session.ErrPruned":     {session.ErrPruned, "session_pruned"},
	"session.ErrRatchetKey": {session.ErrRatchetKey, "ratchet_key"},

	"ratchet.ErrMalformed":    {ratchet.ErrMalformed, "malformed"},
	"ratchet.ErrVersion":      {ratchet.ErrVersion, "version"},
	"ratchet.VersionError":    {&ratchet.VersionError{Version: 2}, "version"},
	"ratchet.ErrFormat":       {ratchet.ErrFormat, "corrupt"},
	"ratchet.ErrMAC":          {ratchet.ErrMAC, "mac"},
	"ratchet.ErrKeyGone":      {ratchet.ErrKeyGone, "key_gone"},
	"ratchet.ErrGap":          {ratchet.ErrGap, "gap"},
	"ratchet.GapError":        {&ratchet.GapError{}, "gap"},
	"ratchet.ErrUnknownChain": {ratchet.ErrUnknownChain, "unknown_chain"},
	"ratchet.ErrZeroSecret":   {ratchet.ErrZeroSecret, "zero_secret"},
	"ratchet.ErrExhausted":    {ratchet.ErrExhausted, "exhausted"},

	"kv.ErrConflict":    {kv.ErrConflict, "starved"},
	"kv.ConflictError":  {&kv.ConflictError{Keys: []string{"a"}}, "starved"},
	"kv.ErrRefused":     {kv.ErrRefused, "starved"},
	"kv.ErrSuperseded":  {kv.ErrSuperseded, "superseded"},
	"kv.ErrUnknown":     {kv.ErrUnknown, "unknown"},
	"kv.ErrExpired":     {kv.ErrExpired, "unknown"},
	"kv.ErrUndecided":   {kv.ErrUndecided, "undecided"},
	"kv.ErrUnavailable": {kv.ErrUnavailable, "unavailable"},
	"kv.ErrUnusable":    {kv.ErrUnusable, "unusable"},
	"kv.ErrClosed":      {kv.ErrClosed, "closed"},
	"kv.ErrDeleted":     {kv.ErrDeleted, "deleted"},
	"kv.ErrTooLarge":    {kv.ErrTooLarge, "too_large"},
	"kv.ErrInvalid":     {kv.ErrInvalid, "invalid"},
	"kv.ErrDiskFull":    {kv.ErrDiskFull, "disk_full"},
	"kv.ErrCorrupt":     {kv.ErrCorrupt, "corrupt"},
	"kv.ErrInUse":       {kv.ErrInUse, "in_use"},
	"kv.ErrForeign":     {kv.ErrForeign, "foreign"},
	"kv.ErrNewer":       {kv.ErrNewer, "newer"},

	"kv/badgerkv.ErrForeign":   {badgerkv.ErrForeign, "foreign"},
	"kv/badgerkv.Err32Bit":     {badgerkv.Err32Bit, "unsupported"},
	"kv/badgerkv.ErrUnproven":  {badgerkv.ErrUnproven, "unsupported"},
	"kv/badgerkv.ErrNewer":     {badgerkv.ErrNewer, "newer"},
	"kv/sharekv.ErrAtRest":     {sharekv.ErrAtRest, "unavailable"},
	"kv/badgerkv.ErrAtRest":    {badgerkv.ErrAtRest, "unavailable"},
	"kv/sharekv.ErrStranger":   {sharekv.ErrStranger, "unusable"},
	"kv/sqlitekv.ErrForeign":   {sqlitekv.ErrForeign, "foreign"},
	"kv/sqlitekv.ErrUnproven":  {sqlitekv.ErrUnproven, "unsupported"},
	"kv/sqlitekv.ErrNewer":     {sqlitekv.ErrNewer, "newer"},
	"kv/sqlitekv.ErrRewritten": {sqlitekv.ErrRewritten, "corrupt"},

	"txn.ErrSetAside":   {txn.ErrSetAside, "set_aside"},
	"txn.SetAsideError": {&txn.SetAsideError{}, "set_aside"},
	"txn.ErrFormat":     {txn.ErrFormat, "newer"},
	"txn.RecordError":   {&txn.RecordError{Err: errors.New("of no kind")}, "corrupt"},
	"txn.UnknownError":  {&txn.UnknownError{Err: context.Canceled}, "unknown"},
	"txn.StarvedError":  {&txn.StarvedError{Last: kv.ErrConflict}, "starved"},

	"txn/seal.ErrPassphrase": {seal.ErrPassphrase, "passphrase"},
	"txn/seal.KindError":     {&seal.KindError{}, "passphrase"},
	"txn/seal.ErrCost":       {seal.ErrCost, "cost"},
	"txn/seal.ErrFormat":     {seal.ErrFormat, "keyring"},
	"txn/seal.ErrDamaged":    {seal.ErrDamaged, "corrupt"},
	"txn/seal.ErrVersion":    {seal.ErrVersion, "newer"},

	"errors.ErrUnsupported":      {errors.ErrUnsupported, "unsupported"},
	"context.Canceled":           {context.Canceled, "canceled"},
	"context.DeadlineExceeded":   {context.DeadlineExceeded, "deadline"},
	"canonicaljson.ErrSyntax":    {canonicaljson.ErrSyntax, "json"},
	"canonicaljson.ErrNumber":    {canonicaljson.ErrNumber, "json"},
	"canonicaljson.ErrDuplicate": {canonicaljson.ErrDuplicate, "json"},
	"canonicaljson.ErrType":      {canonicaljson.ErrType, "json"},
	"any other error":            {errors.New("of no kind"), pawl.CodeOther},
}

// inner are the errors that no call of a Store or Machine returns, and why.
var inner = map[string]string{
	"group.ErrOther":        "a session is looked up by its id, and its room compared before",
	"group.ErrShare":        "what is stored of a share is of one outcome",
	"account.ErrNotOffered": "KeysForUpload gives UploadBody what it has just offered",
	"account.ErrOneTimeKey": "Decrypt looks the key up by the message's name for it",
	"session.ErrKnown":      "a session's id is a hash of fresh keys",
	"session.ErrFull":       "a session is pruned before one is added",
	"ratchet.ErrKeyPair":    "Decrypt looks the key up by the message's name for it",
	"ratchet.ErrNoSession":  "what is stored is never the empty session",
	"txn.ErrNested":         "no caller gets hold of a Tx",
	"txn.ErrReadOnly":       "no caller gets hold of a Tx",
	"txn.ErrDone":           "no caller gets hold of a Tx",
	"txn.ErrApart":          "no caller gets hold of a Tx",
	"txn.ErrNoSealer":       "Open gives every DB its sealer",
	"kv/witness.ErrNone":    "Open takes it for an answer",
	"kv/witness.ErrCopied":  "Open takes it for an answer",
	"kv/witness.ErrDamaged": "Open takes it for an answer",
	"kv/pgkv.ErrNoSchema":   "pgkv.Open returns it, where there is no store yet",
	"kv/etcdkv.ErrNoStore":  "etcdkv.Database.Store returns it, where there is no store",
	"kv/sharekv.ErrHeld":    "the process becomes a guest, or is answered with kv.ErrInUse",
}

// apart are the packages that no call of a Store or Machine uses.
var apart = []string{"device."}

func TestCodeOf(t *testing.T) {
	for name, c := range coded {
		for _, err := range []error{c.err, fmt.Errorf("in words: %w", c.err), errors.Join(errors.New("first"), c.err)} {
			if got := pawl.CodeOf(err); got != c.code {
				t.Errorf("%s: CodeOf(%v) = %q, want %q", name, err, got, c.code)
			}
		}
	}
	if got := pawl.CodeOf(nil); got != "" {
		t.Errorf("CodeOf(nil) = %q", got)
	}
}

// TestCodeOfSeveralKinds: which one counts.
func TestCodeOfSeveralKinds(t *testing.T) {
	record := func(err error) error { return &txn.RecordError{Key: "a/session", Err: err} }
	for _, c := range []struct {
		err  error
		code pawl.Code
	}{
		{&txn.UnknownError{Err: kv.ErrUndecided}, "undecided"},
		{&txn.UnknownError{Err: fmt.Errorf("%w: %w", kv.ErrUnavailable, kv.ErrCorrupt)}, "unknown"},
		{record(session.ErrVersion), "newer"},
		{record(txn.ErrFormat), "newer"},
		{record(ratchet.ErrFormat), "corrupt"},
		{fmt.Errorf("%w: %w", kv.ErrUnavailable, kv.ErrNewer), "newer"},
		{fmt.Errorf("%w: %w", kv.ErrUnavailable, kv.ErrUnusable), "unusable"},
		{fmt.Errorf("%w: %w", kv.ErrUnavailable, context.DeadlineExceeded), "unavailable"},
		{&pawl.UndecryptableError{Err: &ratchet.GapError{}}, "gap"},
	} {
		if got := pawl.CodeOf(c.err); got != c.code {
			t.Errorf("CodeOf(%v) = %q, want %q", c.err, got, c.code)
		}
	}
}

// TestEveryErrorHasACode finds the exported errors in the source: each is
// either coded or known not to reach a caller.
func TestEveryErrorHasACode(t *testing.T) {
	found := exportedErrors(t)
	for _, name := range found {
		if slices.ContainsFunc(apart, func(pkg string) bool { return strings.HasPrefix(name, pkg) }) {
			continue
		}
		_, has := coded[name]
		_, within := inner[name]
		if has == within {
			t.Errorf("%s: has a code: %v, never reaches a caller: %v; it is one of them, in codes.go and here", name, has, within)
		}
	}
	for name := range inner {
		if !slices.Contains(found, name) {
			t.Errorf("%s is not there any more", name)
		}
	}
}

// exportedErrors returns the error variables and types of all public packages,
// named by folder.
func exportedErrors(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if slices.Contains([]string{"internal", "testdata", "cmd", "bench", "docs", "build", "kvtest", "examples", "mautrix"}, d.Name()) ||
			path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		found = append(found, errorsOf(t, path)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 70 {
		t.Fatalf("only %d errors found", len(found))
	}
	return found
}

func errorsOf(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	prefix := filepath.ToSlash(folder) + "."
	if folder == "." {
		prefix = "pawl."
	}
	var found []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			for _, name := range errorsIn(decl) {
				if ast.IsExported(name) {
					found = append(found, prefix+name)
				}
			}
		}
	}
	return found
}

// errorsIn returns variables named Err..., and the receivers of Error methods.
func errorsIn(decl ast.Decl) []string {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv != nil && decl.Name.Name == "Error" {
			of := decl.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			return []string{of.(*ast.Ident).Name}
		}
	case *ast.GenDecl:
		var names []string
		for _, spec := range decl.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && decl.Tok == token.VAR {
				for _, name := range v.Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, name.Name)
					}
				}
			}
		}
		return names
	}
	return nil
}

// TestCodesAreDocumented compares the table in docs/errors.md with the code,
// and asks that each code is one of an error that the tests know.
func TestCodesAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, code := range pawl.Codes() {
		var of []string
		for _, name := range slices.Sorted(maps.Keys(coded)) {
			if coded[name].code == code && strings.Contains(name, ".") && !strings.HasSuffix(name, "Error") {
				of = append(of, "`"+name+"`")
			}
		}
		if of == nil && code != pawl.CodeOther {
			t.Errorf("no error has the code %q", code)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", code, code.Means(), code.Remedy(), strings.Join(of, ", ")))
	}
	_, table, _ := strings.Cut(string(raw), "| --- | --- | --- | --- |\n")
	if got := strings.TrimSpace(table); got != strings.Join(want, "\n") {
		t.Errorf("docs/errors.md has another table than the code, which is\n%s", strings.Join(want, "\n"))
	}
	if pawl.Code("no code").Means() != "" || pawl.Code("no code").Remedy() != "" {
		t.Error("what is not a code means something")
	}
}

// TestCodesAreClosed pins the codes: programs go by them.
func TestCodesAreClosed(t *testing.T) {
	const pinned = "undecided not_erased unknown starved no_session newer keyring corrupt unusable foreign unsupported retired needs_recovery unwitnessed" +
		" no_account account_exists format1 moved_on not_empty copy_differs not_retired nothing_to_move passphrase cost no_key room_key_file room_key_file_changed room_key_file_use user_id device_id" +
		" room_id event_id key_id key json signature unsigned identity key_count key_stage unknown_key_id keys_full keys_exhausted import import_begun pickle_key" +
		" pickle_version pickle_damaged no_request device_taken answer" +
		" response event event_size not_olm not_for_us other_sender payload unencrypted" +
		" message_type version malformed sender_mismatch self already_processed unknown_one_time_key one_time_key_used session_pruned ratchet_key" +
		" untried unknown_session key_gone gap unknown_chain zero_secret exhausted mac not_shared rotate settings no_room_key too_early forgotten replay other_room other_user" +
		" content algorithm session_id plain not_requested nobody_to_ask unsettled contradicts provenance extra forget_all set_aside disk_full too_large in_use superseded deleted closed" +
		" invalid unavailable canceled deadline other"
	var names []string
	for _, code := range pawl.Codes() {
		names = append(names, string(code))
	}
	if got := strings.Join(names, " "); got != pinned {
		t.Errorf("the codes are\n%s\nwant\n%s", got, pinned)
	}
}

// A program that hands errors on to another language gives their codes, and
// acts on what may be done.
func ExampleCodeOf() {
	for _, err := range []error{
		fmt.Errorf("the message of noon: %w", pawl.ErrAlreadyProcessed),
		fmt.Errorf("the message of one o'clock: %w", kv.ErrUnavailable),
	} {
		switch code := pawl.CodeOf(err); code.Remedy() {
		case pawl.RemedyNone:
			fmt.Printf("%s: %s\n", code, code.Means())
		case pawl.RemedyRetry:
			fmt.Printf("%s: once more\n", code)
		}
	}
	// Output:
	// already_processed: decrypted before, and acknowledged
	// unavailable: once more
}
