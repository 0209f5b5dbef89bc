package main

// etcdtest is the nested module that runs kv/etcdkv on clusters.
const etcdtest = "kv/etcdkv/etcdtest"

// etcdMutants break the engine on etcd.
var etcdMutants = []mutant{
	{
		name: "etcd's client sends a commit again by itself",
		file: "kv/etcdkv/database.go",
		old:  "config.MaxUnaryRetries = 1", new: "config.MaxUnaryRetries = 100",
		pkgs: []string{"./kv/etcdkv"},
	},
	{
		name: "etcd is asked for a token with the one that it has forgotten",
		file: "kv/etcdkv/login.go",
		old:  ` || len(uri) > 0 && strings.HasSuffix(uri[0], "/etcdserverpb.Auth") {`, new: ` || strings.HasSuffix("", "A") {`,
		test: "TestForgottenToken", pkgs: []string{"./kv/etcdkv"},
	},
	{
		name: "a token of etcd's is given up by the call that needed it",
		file: "kv/etcdkv/login.go",
		old:  "context.WithTimeout(context.Background(), loginTime)", new: "context.WithTimeout(context.Background(), min(loginTime, 100*time.Millisecond))",
		test: "TestSlowLogin", pkgs: []string{"./kv/etcdkv"},
	},
	{
		name: "a store in etcd is opened by a name that it had before",
		file: "kv/etcdkv/open.go",
		old:  "} else if err == nil && found.left {", new: "} else if false {",
		test: "TestNames/newest", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "a store in etcd gets a name that another has",
		file: "kv/etcdkv/names.go",
		old:  "append(n.stands(), modified(pb.Compare_EQUAL, 0, from, end))", new: "append(n.stands(), modified(pb.Compare_GREATER, -1, from, end))",
		test: "TestNames/newest", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "what etcd applied although there is no room is called refused",
		file: "kv/etcdkv/outcome.go",
		old:  "case r.id != nil:\n\t\t\treturn fateOf(r.id)", new: "case r.id != nil && false:\n\t\t\treturn fateOf(r.id)",
		pkgs: []string{"./kv/etcdkv"},
	},
	{
		name: "an etcd that went back is read from",
		file: "kv/etcdkv/store.go",
		old:  "if header.Revision < before {", new: "if header.Revision < before && false {",
		pkgs: []string{"./kv/etcdkv"},
	},
	{
		name: "an etcd that went back takes commits",
		file: "kv/etcdkv/commit.go",
		old:  "if a.head > 0 {", new: "if a.head > 0 && false {",
		test: "TestRestoredIntoSameCluster/newest", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "what was put beside the entries of a scan in etcd does not count",
		file: "kv/etcdkv/request.go",
		old:  "int64(entry.Version), from, to)", new: "int64(entry.Version), p.entry(entry.Key), nil)",
		test: "TestConformance/newest/empty/isolation", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "etcd does not record what it refuses for good",
		file: "kv/etcdkv/commit.go",
		old:  "if b.Again {", new: "if b.Again && len(b.Writes) == 0 {",
		test: "TestConformance/newest/empty/refusal", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "a refusal in etcd takes the place of what was applied",
		file: "kv/etcdkv/commit.go",
		old:  "txnOp(&pb.TxnRequest{Compare: guards, Success:", new: "txnOp(&pb.TxnRequest{Compare: guards[:1], Success:",
		test: "TestConformance/newest/empty/refusal", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "commits do not wait for turns in etcd that they have not heard of",
		file: "kv/etcdkv/commit.go",
		old:  "if a.known >= 0 {", new: "if a.known >= 0 && false {",
		test: "TestTurnOfTheDead", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "commit IDs in etcd are looked for in the newest epoch alone",
		file: "kv/etcdkv/meta.go",
		old:  "for len(numbers) < keptEpochs &&", new: "for len(numbers) < 1 &&",
		pkgs: []string{"./kv/etcdkv"},
	},
	{
		name: "an ID that etcd has dropped is taken for a new one",
		file: "kv/etcdkv/commit.go",
		old:  "if b.ID.Began < a.epoch.Drop {", new: "if b.ID.Began < a.epoch.Drop && false {",
		test: "TestConformance/newest/empty/(commit-id|refusal)", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "a watch in etcd tells every change that was made before it began",
		file: "kv/etcdkv/watch.go",
		old:  "if event.Kv.ModRevision > w.upTo {", new: "if event.Kv.ModRevision > w.after {",
		test: "TestConformance/newest/empty/watch", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "what has changed since a view made the checks of a large commit does not count",
		file: "kv/etcdkv/commit.go",
		old:  "if a.settled != nil {\n\t\tguards", new: "if a.settled != nil && false {\n\t\tguards",
		test: "TestManyChecks/newest", dir: etcdtest, pkgs: []string{"."},
	},
	{
		name: "a store that is in another etcd cluster is not taken for a copy",
		file: "kv/etcdkv/witness.go",
		old:  "case p.Cluster != k.store.cluster:", new: "case false:",
		test: "TestRestoredIntoAnotherCluster/newest", dir: etcdtest, pkgs: []string{"."},
	},
}
