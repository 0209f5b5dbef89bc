package result

import "time"

// Format is the version of the document. Readers refuse any other.
const Format = 1

// Result is one run of the suite.
type Result struct {
	Format   int       `json:"format"`
	Pawl     string    `json:"pawl"`    // version: "v0.1.0", or a revision, "+dirty" if it was changed
	Command  []string  `json:"command"` // that anyone can run: "pawl", "bench", "--quick"
	Started  time.Time `json:"started"`
	Took     Duration  `json:"took"`
	Quick    bool      `json:"quick"`
	Seed     uint64    `json:"seed"`
	Machine  Machine   `json:"machine"`
	Versions []Version `json:"versions"` // of Go, the engines, the peers
	Rows     []Row     `json:"rows"`
}

// Machine is what the figures depend on.
type Machine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Kernel     string `json:"kernel,omitempty"`
	CPU        string `json:"cpu,omitempty"`
	Cores      int    `json:"cores"`
	Memory     int64  `json:"memory"`                // bytes, 0 if it cannot be told
	FileSystem string `json:"file_system,omitempty"` // of the stores
	Noise      Noise  `json:"noise"`
}

// Noise is how far the machine was from quiet.
type Noise struct {
	LoadBefore float64 `json:"load_before"` // load average of a minute
	LoadAfter  float64 `json:"load_after"`
	// CPU and Sync are the spreads, (75th - 25th percentile) / median, of a
	// fixed computation and of a fixed append + fdatasync, repeated through
	// the run: what differs by less than they do is nothing.
	CPU  float64 `json:"cpu"`
	Sync float64 `json:"sync"`
}

// Version of something that took part.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Duration is in nanoseconds.
type Duration = time.Duration
