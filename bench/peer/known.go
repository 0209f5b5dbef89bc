package peer

import "github.com/pawlkv/pawl/bench/result"

// Workloads, as in bench/peers/README.md.
const (
	WorkloadDecrypt = "peers decrypt"
	WorkloadRoomKey = "peers room key"
	WorkloadOpen    = "peers open"
	WorkloadShared  = "peers shared"

	WorkloadEncrypt     = "peers encrypt"
	WorkloadShare       = "peers share"
	WorkloadClaim       = "peers claim"
	WorkloadMissing     = "peers missing"
	WorkloadRoomEncrypt = "peers room encrypt"
	WorkloadRoomDecrypt = "peers room decrypt"

	WorkloadOlm = "olm" // followed by the operation
)

const (
	// Devices is how many a message of WorkloadOpen goes to, and a room key of
	// WorkloadShare.
	Devices = 163
	// Crowd is how many devices WorkloadMissing looks at, of one user fewer.
	Crowd = 2003
)

// Names are the programs that "make peers" builds.
func Names() []string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.program
	}
	return names
}

// known is what a program stands for: when it is not there, nobody can ask it.
var known = []struct {
	program   string
	systems   []string
	workloads []string
}{
	{"goolm", []string{"mautrix-go with goolm", "pawl"}, stored},
	{"libolm", []string{"mautrix-go with libolm"}, stored},
	{"vodozemac", []string{"vodozemac"}, []string{WorkloadOlm}},
	{"matrix-sdk-crypto", []string{"matrix-sdk-crypto"}, stored},
}

var stored = []string{
	WorkloadDecrypt, WorkloadRoomKey, WorkloadOpen, WorkloadShared,
	WorkloadEncrypt, WorkloadShare, WorkloadClaim, WorkloadMissing, WorkloadRoomEncrypt, WorkloadRoomDecrypt,
}

// missing are the rows of a program that cannot be run.
func (p Program) missing() []result.Row {
	if p.Missing == "" {
		return nil
	}
	for _, k := range known {
		if k.program != p.Name {
			continue
		}
		var rows []result.Row
		for _, system := range k.systems {
			for _, workload := range k.workloads {
				rows = append(rows, result.Row{Workload: workload, System: system, Missing: p.Missing})
			}
		}
		return rows
	}
	return []result.Row{{Workload: WorkloadDecrypt, System: p.Name, Missing: p.Missing}}
}
