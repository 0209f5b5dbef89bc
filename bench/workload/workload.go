package workload

import (
	"context"

	"github.com/pawlkv/pawl/bench/result"
)

// workload is what the processes do. It is a value in a list: another kind of
// message is another value.
type workload struct {
	name  string
	title string
	// defaults fills in the parameters that the workload knows.
	defaults func(*result.Params)
	// shares tells that processes end or share the store: one in memory will
	// not do.
	shares bool
	// client tells that Bob is in a room, with a server.
	client bool
	// processes that run the workload, given its parameters.
	processes func(result.Params) int
	// prepare makes the sessions, and the blocks: what each run does.
	prepare func(*preparation) error
	// run does a block and says what it took.
	run func(context.Context, *stage, block) (outcome, error)
}

// Names of the workloads.
const (
	Decrypt   = result.Decrypt   // Sessions, Distribution, Batch, PeerSessions, Acknowledge
	Encrypt   = "encrypt"        // Peers
	OpenIn    = "open-in"        // messages that open a session to Bob
	OpenOut   = "open-out"       // Peers that Bob opens a session to
	Alternate = "alternate"      // app and NSE take turns in Sessions
	Processes = result.Processes // Processes at once, each in its own Sessions or all in the Same
	Start     = "start"          // a process starts and decrypts, in a store of Sessions
	Day       = result.Day       // of a phone, with Sessions
	Sync      = result.Sync      // takes in Batch room keys at once, from Peers; by two Processes, which answer in turn
	Share     = result.Share     // gives a room key to Peers; by two Processes in turn
	Room      = result.Room      // messages of a room with Peers; by two Processes in turn
)

// Distributions of messages over sessions.
const (
	Uniform = result.Uniform
	Zipf    = "zipf"
)

// Kind is a workload's name and what it is.
type Kind struct{ Name, Title string }

// Kinds returns all workloads.
func Kinds() []Kind {
	var kinds []Kind
	for _, w := range workloads() {
		kinds = append(kinds, Kind{w.name, w.title})
	}
	return kinds
}

func workloads() []workload {
	one := func(result.Params) int { return 1 }
	two := func(result.Params) int { return 2 }
	return []workload{
		{
			name: Decrypt, title: "decrypt what a sync brings",
			defaults:  func(p *result.Params) { orSessions(p, 1); orOne(&p.Batch) },
			processes: one, prepare: prepareDecrypt, run: runScripts,
		},
		{
			name: Encrypt, title: "encrypt one message for many peers",
			defaults:  func(p *result.Params) { orOne(&p.Peers) },
			processes: one, prepare: prepareEncrypt, run: runScripts,
		},
		{
			name: OpenIn, title: "decrypt messages that open a session",
			defaults:  func(p *result.Params) { orOne(&p.Batch) },
			processes: one, prepare: prepareOpenIn, run: runScripts,
		},
		{
			name: OpenOut, title: "open sessions to peers and encrypt for them",
			defaults:  func(p *result.Params) { orOne(&p.Peers) },
			processes: one, prepare: prepareOpenOut, run: runScripts,
		},
		{
			name: Alternate, title: "app and NSE take turns",
			defaults:  func(p *result.Params) { orSessions(p, 1); p.Processes, p.Same = 2, true },
			processes: two, shares: true, prepare: prepareLive, run: runAlternate,
		},
		{
			name: Processes, title: "processes at once",
			defaults:  func(p *result.Params) { orSessions(p, 10); orOne(&p.Processes) },
			processes: several, prepare: prepareProcesses, run: runProcesses,
		},
		{
			name: Start, title: "start a process and decrypt",
			defaults:  func(p *result.Params) { orSessions(p, 1) },
			processes: func(result.Params) int { return 0 }, shares: true, prepare: prepareDecrypt, run: runStart,
		},
		{
			name: Day, title: "a day of a phone",
			defaults:  func(p *result.Params) { orSessions(p, 50) },
			processes: func(result.Params) int { return 0 }, shares: true, prepare: prepareLive, run: runDay,
		},
		{
			name: Sync, title: "take in a whole sync", client: true,
			defaults:  func(p *result.Params) { orNumber(&p.Batch, 100); orNumber(&p.Peers, p.Batch); alone(p) },
			processes: several, prepare: prepareSync, run: runSync,
		},
		{
			name: Share, title: "share a room key", client: true,
			defaults:  func(p *result.Params) { orNumber(&p.Peers, 163); alone(p) },
			processes: several, prepare: prepareShare, run: runShare,
		},
		{
			name: Room, title: "write and read messages of a room", client: true,
			defaults:  func(p *result.Params) { orNumber(&p.Peers, 163); orNumber(&p.Size, defaultSize); alone(p) },
			processes: several, prepare: prepareRoom, run: runRoom,
		},
	}
}

// several is as many processes as asked for.
func several(p result.Params) int { return p.Processes }

// alone is of workloads of one process, unless more are asked for, which take turns.
func alone(p *result.Params) {
	orOne(&p.Processes)
	p.Same = p.Processes > 1
}

// defaultSize is about that of a room key in its envelope.
const defaultSize = 1024

func orOne(n *int) { orNumber(n, 1) }

func orNumber(n *int, otherwise int) {
	if *n == 0 {
		*n = otherwise
	}
}

func orSessions(p *result.Params, n int) {
	if p.Sessions == 0 {
		p.Sessions = n
	}
	if p.Distribution == "" && p.Sessions > 1 {
		p.Distribution = Uniform
	}
}
