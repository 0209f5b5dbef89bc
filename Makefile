# make check   what a change must pass; the README's test command
# make quick   formatting and all tests with -short: a minute, while one works
# make fuzz    every fuzz target, FUZZTIME each (default 60s)
# make crash   long runs: SCHEDULES schedules (default 200000), ROUNDS random rounds (default 5000), KILLS processes killed (default 3000), histories
# make fleet   rounds of faults on PostgreSQL and etcd across hosts: FLEET of each (default 60), from SEED; as root hosts are network namespaces
# make test-fleet  the same with each fault once, for a minute or two
# make failover  from a kill to the next commit on PostgreSQL and etcd, TAKEOVERS of each (default 20), beside their bare clients
# make mutants breaks the code on purpose and expects tests to fail
# make libpawl the C library for this machine, both flavours, and wheels for Python (docs/c-library.md)
# make story-python  processes in Python and Go on one store after make libpawl, KILLED (default 4) of which are killed; SEED
# make bind    makes classes for Java and Objective-C of package mobile, and type-checks their Go side
# make systems builds and vets everything for each system, which takes ten minutes where nothing is compiled yet
# make upstream  power, damage and conformance tests with the newest release of every dependency
# make bench   storage and end-to-end benchmarks; make bench-peers beside the systems of make peers
# make bench-network  workloads of bench on PostgreSQL and etcd, 0 to 20 ms away, with caches and without, RUNS of each (default 3): an hour
# make bench-mautrix  the nested module mautrix beside mautrix-go's cryptohelper; BENCH gives it flags
# make e2e     clients on a real homeserver: Synapse, in a process (Python 3.10 or newer); make synapse installs it
# make e2e-long the same in full, and mautrix-go's own encryption beside it; SEED plays a story again
# make web     the engine on IndexedDB in Chromium, in full: each fault FAULTS times (default 20), at instants of SEED (CHROMIUM names another); in Firefox and WebKitGTK, where installed, what they can
# make wasm    the npm package for JavaScript, to build/web, and what it weighs (docs/web.md)
# make primitives  what cryptography takes natively and in WebAssembly, the first call and after 1,000 (docs/web.md)
# make peers   builds the other systems' programs (bench/peers/README.md) as far as the machine can
# make vectors writes what ports are tested with and libsodium computes, by Python with internal/proof/port/requirements.txt
# make browser looks at the benchmark report in CHROMIUM (default chromium); the pictures go to build/browser

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 60s
SCHEDULES   ?= 200000
ROUNDS      ?= 5000
KILLS       ?= 3000
FLEET       ?= 60
CHROMIUM    ?= chromium
PYTHON      ?= python3

# Nested modules keep other people's Olm, bbolt and etcd's server out of Pawl's own dependencies.
NESTED := internal/proof/interop internal/proof/web internal/proof/interop/fleets bench/peers kv/sharekv/bbolttest kv/etcdkv/etcdtest internal/proof/interop/gobind
CLIENTS := internal/proof/clients
# Those that have mautrix-go in them are built without C here.
GOOLM := $(CLIENTS) mautrix
WITHGOOLM := CGO_ENABLED=0 $(GO)
# libolm is optional on a developer's machine and required in CI (PAWL_LIBOLM=1).
LIBOLM := $(if $(PAWL_LIBOLM)$(wildcard /usr/include/olm/olm.h /usr/local/include/olm/olm.h /opt/homebrew/include/olm/olm.h),-tags libolm,)

.PHONY: check quick lint cross systems test test-race test-whole test-floor test-386 test-interop test-clients test-fleet test-web web wasm primitives fleet failover fuzz crash mutants upstream bench bench-peers bench-network bench-mautrix peers browser synapse dendrite e2e e2e-long libpawl test-c story-python bind vectors

# What "go test" vets is vetted by lint, once, and not in each way that tests are built.
check: export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -vet=off)
# Each part tells how long it took. Tests often wait: two parts at once take less time
# than one after the other. Clients on a real homeserver and fleets are parts where they are
# required: with PAWL_E2E=1 and PAWL_FLEET=1.
PARTS   := lint cross test-race $(if $(PAWL_E2E),e2e) test-whole $(if $(PAWL_FLEET),test-fleet) test-clients test-interop test-web test-floor test-386 test-c
AT_ONCE ?= 2
check:
	@set -e; began=$$(date +%s); $(MAKE) --no-print-directory --jobs=$(AT_ONCE) $(addprefix part/,$(PARTS)); \
	echo "make check: all passed in $$(($$(date +%s) - began)) s$(if $(LIBOLM),, (without libolm: install libolm-dev to run its tests too))"

part/%:
	@set -e; began=$$(date +%s); $(MAKE) --no-print-directory $*; echo "make $*: passed, $$(($$(date +%s) - began)) s"

# Many tests wait more than they compute: four packages a processor.
quick:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi
	$(GO) test -short -p $$((4 * $$(getconf _NPROCESSORS_ONLN))) ./...

lint:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	GOBIN=$(CURDIR)/build $(GO) install $(STATICCHECK)
	GOOS=js GOARCH=wasm build/staticcheck ./kv/idbkv ./cmd/pawlweb
	GOOS=js GOARCH=wasm $(GO) vet ./cmd/pawlweb
	for m in $(NESTED); do (cd $$m && $(GO) mod tidy -diff && $(GO) vet $(LIBOLM) ./... && $(GO) run $(STATICCHECK) $(LIBOLM) ./...) || exit 1; done

	for m in $(GOOLM); do (cd $$m && $(GO) mod tidy -diff && $(WITHGOOLM) vet -tags goolm ./... && $(WITHGOOLM) vet -tags goolm,cryptohelper ./... && $(WITHGOOLM) run $(STATICCHECK) -tags goolm ./...) || exit 1; done

# What a phone's program links: the library, and the engine whose processes may be
# suspended. Programs for iOS are linked by Xcode's compiler, so only these are checked.
PHONE := . ./matrix ./ratchet ./otk ./session ./account ./device ./group ./roomkeyfile ./txn ./kv ./kv/memkv ./kv/sqlitekv
comma := ,
# What a build for each system would find, in seconds; linux/386 is where int has 32
# bits. "make systems" builds and vets them all, which takes ten minutes more. What
# a browser or another host of WebAssembly loads is the library without engines on disk.
cross:
	$(GO) run ./internal/proof/typecheck linux/386 linux/arm64 darwin/arm64 freebsd/arm64 windows/arm64 android/arm64
	$(GO) run ./internal/proof/typecheck -C mautrix -tags goolm linux/arm64 darwin/arm64 windows/arm64 android/arm64
	$(GO) run ./internal/proof/typecheck -only .,./txn,./kv,./kv/memkv,./kv/kvtest,./kv/idbkv js/wasm wasip1/wasm
	$(GO) run ./internal/proof/typecheck -only ./cmd/pawlweb js/wasm
	$(GO) run ./internal/proof/typecheck -only $(subst $() ,$(comma),$(PHONE)) ios/arm64

# The C library, to build/libpawl. Nothing but pawl_* leaves the shared one; the archive
# says what else it has. -z nodelete: dlclose leaves it loaded, since Go cannot end.
LIBPAWL := build/libpawl
ifeq ($(shell uname -s),Darwin)
LIBEXT := dylib
LIBLINK := -Wl,-exported_symbol,_pawl_* -Wl,-install_name,@rpath/libpawl.dylib
else
LIBEXT := so
LIBLINK := -Wl,--version-script=$(CURDIR)/cmd/libpawl/exports.map -Wl,-z,nodelete -Wl,-soname,libpawl.so
endif
FLAVOURS ?= sqlite badger
libpawl:
	@if ! command -v $$($(GO) env CC | cut -d' ' -f1) >/dev/null; then echo "without the C library: there is no C compiler"$(if $(PAWL_C),; exit 1); exit 0; fi; set -e; \
	for f in $(FLAVOURS); do \
		CGO_ENABLED=1 $(GO) build -trimpath -tags libpawl_$$f -buildmode=c-shared -ldflags "-s -w -extldflags '$(LIBLINK)'" -o $(LIBPAWL)/$$f/libpawl.$(LIBEXT) ./cmd/libpawl; \
		CGO_ENABLED=1 $(GO) build -trimpath -tags libpawl_$$f -buildmode=c-archive -ldflags "-s -w" -o $(LIBPAWL)/$$f/libpawl.a ./cmd/libpawl; \
		rm -f $(LIBPAWL)/$$f/libpawl.h; cp include/pawl.h $(LIBPAWL)/$$f/; \
		nm -g --defined-only $(LIBPAWL)/$$f/libpawl.a 2>/dev/null | awk 'NF == 3 && $$3 !~ /^_?pawl_/ {print $$3}' | sort -u > $(LIBPAWL)/$$f/other-symbols.txt; \
		if $(PYTHON) --version >/dev/null 2>&1; then rm -f $(LIBPAWL)/$$f/*.whl; $(PYTHON) bindings/python/wheel.py $(LIBPAWL)/$$f/libpawl.$(LIBEXT) $(LIBPAWL)/$$f; fi; \
		ls -l $(LIBPAWL)/$$f | awk 'NF > 8 {printf "%s: %.1f MB\n", $$9, $$5 / 1e6}'; \
		echo "the archive of $$f exports $$(wc -l < $(LIBPAWL)/$$f/other-symbols.txt) symbols that are not pawl_*: $(LIBPAWL)/$$f/other-symbols.txt"; \
	done

# Both flavours in C with AddressSanitizer, and in Python, where processes are killed, too.
# PAWL_C=1 says that a C compiler and Python must be there.
test-c: libpawl
	@if [ -e $(LIBPAWL) ]; then set -ex; PAWL_LIBPAWL=$(CURDIR)/$(LIBPAWL) $(GO) test -count=1 -timeout 20m ./cmd/libpawl; $(MAKE) --no-print-directory story-python; fi

# Three processes in Python and one in Go on one store, of which KILLED are killed: while they
# share, send and read in a room, beside mautrix-go's client; and, with each flavour, while
# they talk Olm with goolm.
KILLED ?= 4
story-python:
	cd $(CLIENTS) && PAWL_LIBRARY=$(CURDIR)/$(LIBPAWL)/sqlite/libpawl.$(LIBEXT) $(WITHGOOLM) test -v -count=1 -timeout 1h -tags goolm . -run TestPythonStory -python.kills=$(KILLED) -clients.seed=$(SEED)
	cd internal/proof/interop && PAWL_LIBPAWL=$(CURDIR)/$(LIBPAWL) $(GO) test -v -count=1 -timeout 1h ./processes -run TestPython -processes.python=$(KILLED) -processes.seed=$(SEED)

# Classes for Java and Objective-C of package mobile, as far as a machine without the NDK and
# Xcode can tell.
bind:
	cd internal/proof/interop/gobind && $(GO) test -count=1 ./...

systems: bind
	for os in js wasip1; do \
		echo "go build for $$os"; GOOS=$$os GOARCH=wasm $(GO) build . ./txn ./kv ./kv/memkv ./kv/kvtest ./kv/idbkv || exit 1; done
	for os in android ios; do \
		echo "go build for $$os"; CGO_ENABLED=0 GOOS=$$os GOARCH=arm64 $(GO) build $(PHONE) || exit 1; done
	for os in linux darwin freebsd windows android; do \
		echo "go vet for $$os"; CGO_ENABLED=0 GOOS=$$os GOARCH=arm64 $(GO) vet ./... || exit 1; done
	for os in linux darwin windows android; do \
		echo "mautrix for $$os"; (cd mautrix && CGO_ENABLED=0 GOOS=$$os GOARCH=arm64 $(GO) vet -tags goolm .) || exit 1; done

# Tables of what may be damaged or fail, which one goroutine plays for minutes.
TABLES := Damage|Harm|Repair|BadPage|Floor|Cancel|Faults

# All tests; those that -short keeps with the race detector too, under which Badger
# takes 20 times as long to open and a process ten times as long to start, and without
# the tables. "make crash" has everything with it. The root's tests run on the smallest
# engine there may be, too: kv.Floor.
test: test-race test-whole test-floor

# Packages of values, in which nothing runs beside anything else (internal/proof/effort
# looks): the race detector has nothing to find there, and signs slowly.
VALUES := account device matrix otk session internal/canonicaljson internal/jsonobject internal/message internal/pickle internal/pickle/libolm internal/pickle/vodozemac internal/record internal/record/recordtest internal/secret internal/syncresponse internal/unpadded
# Nor in tests of the root that one goroutine plays, or that run a program, for seconds;
ALONE := TestREADMEExample|TestRoomKeysHoldLittle|TestRoomEventsAtRest|TestBadInput|TestStepsOfOneMessage|TestKeyLimit|TestFullPool|TestAbandonedKeysAreNotEvictedFirst|TestAttemptsOfEveryCall|TestNoKeyIsUsedTwiceWhateverIsRestored|TestTravellersWithoutWitnessReuseKeys|TestLostRecordsAreFound|TestJumpingClock|TestRoomKeysInAndOut|TestBothSidesAgreeAfterRollbacks|TestTransactionVectors|TestEventCosts
# nor over commands and openings, whose processes do one thing after the other and take it
# longest: what they use is run with it where it is made; nor over stores in Python and in
# PostgreSQL, where most happens in another process; nor over the histories of uploads,
# which one goroutine plays. "make crash" has all.
test-race:
	$(GO) test -race -short -skip '$(TABLES)|$(ALONE)' -timeout 20m $$($(GO) list ./... | grep -vxE '[^/]*/[^/]*/[^/]*/($(subst $() ,|,$(VALUES) cmd/pawl kv/kvtest/conform kv/pgkv internal/machine/keys internal/proof/openings internal/proof/typecheck))')

test-whole:
	$(GO) test -timeout 20m ./...

test-floor:
	$(GO) test -short -floor .

# Where int has 32 bits. Badger refuses there, and the root's tests, those of machines and
# those of SQLite take minutes: "make crash" has them, the tables, and what counts attempts and
# costs, which are the same there. A machine that runs no 386 programs builds and vets them.
COUNTS := TestAttempts|TestEventCosts
ROOT386 := ./internal/machine/records
ON386 := $(ROOT386) ./matrix ./ratchet ./otk ./session ./account ./group ./roomkeyfile ./internal/record/... ./internal/secret ./internal/canonicaljson ./internal/message ./txn/... ./kv ./kv/memkv
test-386:
	@case "$$($(GO) env GOHOSTOS)/$$($(GO) env GOHOSTARCH)" in \
	linux/amd64|linux/386) set -ex; export CGO_ENABLED=0 GOARCH=386; \
		$(GO) test -short -skip '$(TABLES)|$(COUNTS)' $(ON386); $(GO) test -run TestOpenRefusesNarrowInts ./kv/badgerkv;; \
	*) set -ex; CGO_ENABLED=0 GOOS=linux GOARCH=386 $(GO) vet ./...;; esac

# Debian's etcd-server is optional on a developer's machine, and required with PAWL_FLEET=1.
# Without the race detector: those of the first folder are values that one goroutine
# compares; processes are killed and started by the hundred, and Badger takes 20 times as
# long to open with it; and sharing has been run with it on the engine in memory. "make
# crash" has all of them with it.
test-interop:
	cd internal/proof/interop && $(GO) test -count=1 -timeout 20m $(LIBOLM) ./...
	cd kv/sharekv/bbolttest && $(GO) test -count=1 -timeout 10m ./...
	cd kv/etcdkv/etcdtest && $(GO) test -short -count=1 -timeout 10m ./...

# The engine on IndexedDB, in Chromium, which is optional on a developer's machine and
# required with PAWL_WEB=1. In full it runs in a page too, the story has 300 messages to and
# from each tab, and each fault comes 20 times and not once.
FAULTS ?= 20
test-web:
	cd internal/proof/web && $(GO) test -short -count=1 -timeout 20m .

web:
	cd internal/proof/web && PAWL_WEB=1 $(GO) test -v -count=1 -timeout 6h $(LIBOLM) . -web.rounds=$(FAULTS) -web.seed=$(SEED)

FORWEB := GOOS=js GOARCH=wasm CGO_ENABLED=0 $(GO)
wasm:
	cd web/dev && { [ -d node_modules ] || npm ci --no-fund --no-audit --ignore-scripts; }
	node web/dev/build.mjs build/web
	for p in hello small; do (cd internal/proof/web && $(FORWEB) build -trimpath -ldflags "-s -w" -o $(CURDIR)/build/$$p.wasm ./$$p) && node web/dev/strip.mjs build/$$p.wasm build/$$p.wasm || exit 1; done
	node web/dev/sizes.mjs build/hello.wasm build/small.wasm build/web/pawl.wasm web/dev/node_modules/@matrix-org/matrix-sdk-crypto-wasm/pkg/*.wasm
	$(FORWEB) build -trimpath -o build/names.wasm ./cmd/pawlweb
	node web/dev/weigh.mjs build/names.wasm
	cd $(CLIENTS)/nodebot && { [ -d node_modules ] || npm ci --no-fund --no-audit; }
	cd internal/proof/web && $(GO) test -v -count=1 -run TestStartUp .

primitives:
	cd internal/proof/web && PAWL_WEB=1 $(GO) test -v -count=1 -run 'TestPrimitives$$' .

# PostgreSQL, PgBouncer and etcd on hosts of their own, and processes on three others. The
# programs are optional on a developer's machine, and required with PAWL_FLEET=1. In short
# each fault happens once, alone. Long runs print a seed, which SEED gives again. The tests
# wait for processes and faults: all of them at once take as long as the longest.
test-fleet:
	cd internal/proof/interop/fleets && $(GO) test -short -count=1 -parallel 8 -timeout 15m ./... -fleet.rounds=0

fleet:
	cd internal/proof/interop/fleets && PAWL_FLEET=1 $(GO) test -v -count=1 -parallel 8 -timeout 24h . -fleet.whole -fleet.rounds=$(FLEET) -fleet.seed=$(SEED)

TAKEOVERS ?= 20
failover:
	cd internal/proof/interop/fleets && PAWL_FLEET=1 $(GO) test -v -count=1 -timeout 4h -run TestTakeover . -fleet.takeovers=$(TAKEOVERS)

# Whole clients as processes on a homeserver. matrix-sdk-crypto needs Node 20 and
# "npm ci" in its folder; it is optional on a developer's machine and required in CI
# (PAWL_NODE=1).
# The command that imports databases is built with libolm, too. Tests of the module itself
# are not: they link cryptohelper's SQLite, which is another one with C.
test-clients:
	for m in $(GOOLM); do (cd $$m && $(WITHGOOLM) test -count=1 -timeout 20m -tags goolm ./...) || exit 1; done
	$(if $(LIBOLM),cd mautrix && CGO_ENABLED=1 $(GO) test -count=1 -timeout 20m ./cmd/pawl-mautrix,@echo "without libolm's databases: install libolm-dev")

# Synapse, in the versions of requirements.txt and nothing else. It is optional on a
# developer's machine, and required with PAWL_E2E=1.
SYNAPSE := $(CURDIR)/build/synapse
synapse: build/synapse/installed
build/synapse/installed: internal/proof/synapse/requirements.txt
	@if $(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then set -ex; \
		rm -rf build/synapse; $(PYTHON) -m venv build/synapse; \
		build/synapse/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<; touch $@; \
	else echo "without Synapse: $(PYTHON) is missing, older than 3.10 or without venv (python3-venv); set PYTHON to another"$(if $(PAWL_E2E),; exit 1); fi

# Vectors of sealing are not Pawl's word on itself: vectors/sealing.py computes them.
build/port/installed: internal/proof/port/requirements.txt
	rm -rf build/port && $(PYTHON) -m venv build/port
	build/port/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<
	touch $@
vectors: build/port/installed
	build/port/bin/python vectors/sealing.py

# Dendrite is another homeserver, which needs Go and a C compiler.
DENDRITE := $(CURDIR)/build/dendrite
dendrite: build/dendrite
build/dendrite:
	GOBIN=$(CURDIR)/build CGO_ENABLED=1 $(GO) install github.com/matrix-org/dendrite/cmd/dendrite@v0.13.8

# Whole clients on Synapse: what is believed of it; mautrix-go's example with two lines
# changed; three processes of one device that are killed and stopped while they talk, and
# are not late; the scenarios; a bot of mautrix-go's that is imported; and a bridge, which
# is killed in each mode, and given each transaction again. They wait more than they
# compute: two tests a processor, but for the story, whose delays are judged; where
# PAWL_E2E is set, as it may be on shared machines, they are printed.
MAINSTORY := -story.messages=60 -story.kills=12 -story.freezes=1 -story.reboots=1 $(if $(PAWL_E2E),,-story.late=2s)
ATONCE := -parallel $$((2 * $$(getconf _NPROCESSORS_ONLN)))
e2e: synapse
	@if [ ! -e build/synapse/installed ]; then exit 0; fi; set -ex; export CGO_ENABLED=0; \
	$(GO) test -count=1 -timeout 10m ./internal/proof/synapse -synapse=$(SYNAPSE); \
	(cd $(CLIENTS) && $(GO) test -v -count=1 -timeout 10m -tags goolm . -run 'TestMainStory' -synapse=$(SYNAPSE) $(MAINSTORY)); \
	(cd $(CLIENTS) && $(GO) test -count=1 -timeout 10m $(ATONCE) -tags goolm . -run 'TestScenarios$$|TestImportedFromMautrix' -synapse=$(SYNAPSE)); \
	(cd mautrix && $(GO) test -count=1 -timeout 10m $(ATONCE) -tags goolm . -run 'TestTwoLines|TestTalk|TestIdentity|TestRecoveryKey|TestTrustBothWays|TestKeyBackup|TestKeyFile' -synapse=$(SYNAPSE)); \
	(cd mautrix && $(GO) test -v -count=1 -timeout 10m -tags goolm . -run 'TestBridge/transactions_with_MSC4190|TestBridge/sync_without_MSC4190' -synapse=$(SYNAPSE)); \
	(cd mautrix && $(GO) test -count=1 -timeout 10m $(ATONCE) -tags goolm ./bridge -run 'TestBridgeOnSynapse' -synapse=$(SYNAPSE))

# The same in full, for hours, on Dendrite too; and beside it two processes of
# mautrix-go's own encryption on one database: what is lost is printed. SEED is printed by
# each story, and plays it again.
SEED ?= 0
LONGSTORY := -story.messages=300 -story.kills=60 -story.freezes=5 -story.reboots=2 -story.late=2s
LONGBRIDGE := -bridge.messages=500 -bridge.kills=20 -bridge.rooms=20 -bridge.ghosts=50
e2e-long: synapse dendrite
	@if [ ! -e build/synapse/installed ]; then exit 0; fi; set -ex; export CGO_ENABLED=0; \
	$(GO) test -count=1 -timeout 10m ./internal/proof/synapse -synapse=$(SYNAPSE) -dendrite=$(DENDRITE); cd $(CLIENTS); \
	$(GO) test -v -count=1 -timeout 4h -tags goolm . -run 'TestMainStory' -synapse=$(SYNAPSE) $(LONGSTORY) -clients.all -clients.seed=$(SEED); \
	$(GO) test -v -count=1 -timeout 4h -tags goolm . -run 'TestMainStory' -dendrite=$(DENDRITE) $(LONGSTORY) -clients.seed=$(SEED); \
	$(GO) test -v -count=1 -timeout 4h -tags goolm . -run 'TestStockStory' -synapse=$(SYNAPSE) -stock.messages=100 -clients.seed=$(SEED); \
	$(GO) test -count=1 -timeout 12h $(ATONCE) -tags goolm . -run 'TestScenarios$$' -synapse=$(SYNAPSE) -clients.all -clients.seed=$(SEED); \
	cd $(CURDIR)/mautrix; $(GO) test -v -count=1 -timeout 4h -tags goolm . -run 'TestBridge$$' -synapse=$(SYNAPSE) $(LONGBRIDGE) -bridge.seed=$(SEED)

fuzz:
	@for pkg in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; done; done

crash:
	$(GO) test -race -timeout 6h ./...
	$(MAKE) test-386 TABLES='^$$' COUNTS='^$$' ROOT386='. ./internal/machine/... ./kv/sqlitekv'
	$(GO) test -run 'TestSchedules$$' -timeout 6h . -story.schedules=$(SCHEDULES)
	$(GO) test -run 'TestRounds$$' -timeout 6h . -story.rounds=$(ROUNDS)
	$(GO) test -run TestRoomEventsAtRest -timeout 1h . -rest.messages=100000
	$(GO) test -run Hold -timeout 1h ./internal/machine/receive -whole
	$(GO) test -run Hold -timeout 1h ./roomkeyfile -whole
	$(GO) test -run TestRoomKeysHoldLittle -timeout 1h . -roomkeys.whole
	$(GO) test -run TestRandomHistories -timeout 6h ./internal/machine/receive -rounds=$(ROUNDS)
	$(GO) test -race -run TestAttempts -timeout 6h . -attempts.part=1
	$(GO) test -run 'TestQuer' -timeout 6h ./internal/machine/devices -rounds=$(ROUNDS) -depth=4
	$(GO) test -run 'TestLives$$' -timeout 6h ./internal/machine/rooms -rooms.rounds=$(ROUNDS)
	$(GO) test -run TestIndexOnceInProcesses -timeout 6h ./internal/machine/rooms -rooms.processes=8 -rooms.messages=10000 -rooms.engines=2
	$(GO) test -run 'TestFrozenOwner$$' -timeout 6h . -frozen.all
	$(GO) test -run TestProcesses/Killed -timeout 6h ./kv/badgerkv -badgerkv.rounds=2000
	$(GO) test -run TestProcesses/Killed -timeout 6h ./kv/sharekv -sharekv.rounds=2000
	$(GO) test -run TestPowerFailureOfALife -timeout 6h ./kv/badgerkv -badgerkv.images=0 -badgerkv.power=40
	$(GO) test -run TestPowerFailureOfALife -timeout 6h ./kv/sqlitekv -sqlitekv.images=0 -sqlitekv.power=40
	$(GO) test -run 'TestDamage$$' -timeout 24h ./internal/proof/aftermath -aftermath.damages=0
	$(GO) test -run TestSystemErrors -timeout 6h ./internal/proof/openings -openings.all
	$(GO) test -run TestConvertKilled -timeout 6h ./cmd/pawl -convert.rounds=100
	$(GO) test -run TestHistoryOfProcesses -count=20 -timeout 6h ./kv/sqlitekv -sqlitekv.kills=50
	$(GO) test -race -count=20 -timeout 6h -run 'History|Hammer|Histories' ./txn ./kv/...
	cd internal/proof/interop && $(GO) test -count=1 -timeout 6h $(LIBOLM) . -rapid.checks=1000 -interop.megolm=200000
	cd internal/proof/interop && $(GO) test -count=1 -timeout 6h $(LIBOLM) ./processes -processes.all -processes.kills=$(KILLS)
	cd internal/proof/interop && $(GO) test -race -count=1 -timeout 6h $(LIBOLM) ./processes -processes.all
	cd internal/proof/interop && $(GO) test -race -count=1 -timeout 6h $(LIBOLM) $$($(GO) list ./... | grep -v /processes)
	cd kv/sharekv/bbolttest && $(GO) test -race -count=1 -timeout 6h ./...
	cd kv/etcdkv/etcdtest && $(GO) test -race -count=1 -timeout 6h ./...
	cd kv/etcdkv/etcdtest && $(GO) test -count=1 -timeout 6h . -run 'TestProcesses|TestHistory' -etcd.rounds=50
	$(MAKE) libpawl story-python KILLED=300
	cd $(CLIENTS) && $(WITHGOOLM) test -count=1 -timeout 12h -tags goolm . -clients.all -clients.restarts=300 -clients.rounds=2000
	cd $(CLIENTS) && $(WITHGOOLM) test -count=1 -timeout 6h -tags goolm -run 'TestScenarios$$/random_rounds' . -clients.all -clients.race -clients.rounds=50

bench:
	$(GO) run ./bench/storage
	$(GO) test -run '^$$' -bench . -benchmem ./...

upstream:
	$(GO) run ./internal/proof/upstream

mutants:
	$(GO) run ./internal/proof/mutants

bench-peers: peers
	cd bench/peers && $(GO) run $(LIBOLM) .
	cd bench/peers && $(GO) run . -stored

RUNS ?= 3
bench-network:
	cd internal/proof/interop/fleets && PAWL_FLEET=1 $(GO) test -v -count=1 -timeout 24h -run TestCacheOverNetwork . -fleet.cache=$(RUNS)

# With a C compiler cryptohelper has the SQLite that it has by itself.
bench-mautrix:
	cd mautrix && $(GO) run -tags goolm ./internal/bench $(BENCH)

browser:
	$(GO) vet -tags browser ./bench/report
	$(GO) test -count=1 -timeout 20m -tags browser ./bench/report -run Browser -browser.chromium=$(CHROMIUM) -browser.out=$(CURDIR)/build/browser

# What cannot be built here is missing in the results, which say so.
peers:
	mkdir -p build/peers
	cd bench/peers && $(GO) build -tags "peers goolm" -o ../../build/peers/goolm .
	$(if $(LIBOLM),cd bench/peers && $(GO) build -tags "peers libolm" -o ../../build/peers/libolm .,@echo "without libolm: install libolm-dev")
	@if command -v cargo >/dev/null; then set -ex; cd bench/peers/rust; cargo build --release --locked; \
		cp target/release/peer-vodozemac ../../../build/peers/vodozemac; \
		cp target/release/peer-matrix-sdk-crypto ../../../build/peers/matrix-sdk-crypto; \
	else echo "without vodozemac and matrix-sdk-crypto: install cargo"; fi
