package main

// importRules are mutants of reading pickles and of importing.
var importRules = []mutant{
	{
		name: "a pickle is decrypted whatever its MAC says",
		file: "internal/message/cipher.go",
		old:  "if subtle.ConstantTimeCompare(want[:], mac) != 1 {", new: "if want := want; len(mac) != len(want) {",
		pkgs: []string{"./internal/pickle/libolm", "./internal/pickle/vodozemac"},
	},
	{
		name: "libolm's last key id is taken for the next one",
		file: "internal/pickle/libolm/account.go",
		old:  "a.LastID = otk.ID(r.uint32())", new: "a.LastID = otk.ID(r.uint32()) - 1",
		pkgs: []string{"./internal/pickle/libolm"},
	},
	{
		name: "the last key id may be below that of a key",
		file: "internal/pickle/libolm/account.go",
		old:  "a.LastID = max(a.LastID, k.ID)", new: "_ = k",
		pkgs: []string{"./internal/pickle/libolm"},
	},
	{
		name: "a list in a pickle takes any memory",
		file: "internal/pickle/libolm/doc.go",
		old:  "if n > uint32(most) {", new: "if n == 0 {",
		pkgs: []string{"./internal/pickle/libolm"},
	},
	{
		name: "vodozemac's chains are taken to be the newest first",
		file: "internal/pickle/vodozemac/session.go",
		old:  "range slices.Backward(p.Receiving.Chains) {", new: "range slices.All(p.Receiving.Chains) {",
		pkgs: []string{"./internal/pickle/vodozemac"},
	},
	{
		name: "a one-time key that nobody published counts as published",
		file: "internal/pickle/vodozemac/account.go",
		old:  "Published: !unpublished}", new: "Published: true}",
		pkgs: []string{"./internal/pickle/vodozemac"},
	},
}
