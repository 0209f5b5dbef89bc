package result

// Row is one system at one workload. Rows with the same Workload and Params
// were run on the same messages, in turn, and may be compared.
type Row struct {
	Workload string `json:"workload"` // "decrypt"
	Params   Params `json:"params"`
	System   string `json:"system"` // "pawl", "mautrix-go", "matrix-sdk-crypto", "vodozemac"
	Design   string `json:"design,omitempty"`
	Engine   string `json:"engine,omitempty"`
	// Durable says what is on disk when the call returns, and Also what else
	// the peer does in it. In plain words: like is compared with like.
	Durable string `json:"durable,omitempty"`
	Also    string `json:"also,omitempty"`
	// Missing says why there are no figures. All below is zero then.
	Missing string `json:"missing,omitempty"`

	Runs     []Run    `json:"runs,omitempty"` // interleaved with those of the other systems
	Latency  Latency  `json:"latency"`        // of one call, all runs together
	Cost     Cost     `json:"cost"`           // for one message, median of the runs
	Split    []Part   `json:"split,omitempty"`
	Resident int64    `json:"resident,omitempty"` // bytes, at most in any run, processes added
	Wrong    Wrong    `json:"wrong"`
	Notes    []string `json:"notes,omitempty"`
}

// Params are what a workload was run with. Zero is "does not apply".
type Params struct {
	Sessions     int    `json:"sessions,omitempty"`
	Distribution string `json:"distribution,omitempty"` // "uniform", "zipf"
	Batch        int    `json:"batch,omitempty"`        // messages in a commit
	Peers        int    `json:"peers,omitempty"`        // that a message goes to, or that room keys come from
	Processes    int    `json:"processes,omitempty"`
	Same         bool   `json:"same,omitempty"` // all processes in the same sessions
	Size         int    `json:"size,omitempty"` // bytes of a plaintext
	// PeerSessions is how many sessions each peer has, with 39 skipped keys in
	// each. Its messages come in the newest.
	PeerSessions int `json:"peer_sessions,omitempty"`
	// Acknowledge is how many messages are acknowledged at once, as they are
	// decrypted.
	Acknowledge int `json:"acknowledge,omitempty"`
}

// Run is one repetition.
type Run struct {
	Messages int      `json:"messages"`
	Took     Duration `json:"took"`
	CPU      Duration `json:"cpu"` // user and system, all processes
}

// Latency of a call.
type Latency struct {
	P50  Duration `json:"p50"`
	P99  Duration `json:"p99"`
	P999 Duration `json:"p999"`
	// Counts is how many calls took less than Bounds[i] and not less than the
	// bound before; one more than there are bounds.
	Counts []int `json:"counts,omitempty"`
}

// Cost of one message. What cannot be told is negative.
type Cost struct {
	CPU       Duration `json:"cpu"`
	Allocs    float64  `json:"allocs"`
	Allocated float64  `json:"allocated"` // bytes
	Written   float64  `json:"written"`   // bytes of the pages that went to the disk
	Syncs     float64  `json:"syncs"`     // fsync, fdatasync, msync
	Conflicts float64  `json:"conflicts"`
	Retries   float64  `json:"retries"`
}

// Part is what one step takes of a message's time.
type Part struct {
	Name string   `json:"name"` // one of Parts
	Time Duration `json:"time"`
}

// Parts of a message's time, in the order in which they happen.
var Parts = []string{"read", "open", "decode", "ratchet", "encode", "seal", "commit", "sync", "rest"}
