package main

import (
	"context"
	"runtime"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// alonePerRun is how many operations a run measures, about 100 ms of them.
var alonePerRun = map[operation]int{
	encryptHeld:  8000,
	decryptHeld:  8000,
	decryptTurn:  1000,
	openInbound:  400,
	openOutbound: 250,
	openClaims:   2,
	makeKeys:     25,
	storeLoad:    6000,
	decryptSkip:  1000,

	megolmEncrypt: 2000,
	megolmDecrypt: 1000,
	megolmAdvance: 2000,
}

// olmBenches are the operations of the table as entries of the protocol.
func olmBenches() []peer.Bench {
	var benches []peer.Bench
	for _, who := range alone() {
		for _, row := range rows {
			benches = append(benches, peer.Bench{
				Entry: peer.Entry{
					ID:       who.name + "/" + string(row.operation),
					Messages: alonePerRun[row.operation],
					Row: result.Row{
						Workload: peer.WorkloadOlm + ": " + string(row.operation),
						Params:   result.Params{Size: len(text)},
						System:   who.name,
						Also:     who.also,
					},
				},
				Measure: func(_ context.Context, t peer.Task) (peer.Outcome, error) {
					return measureAlone(who.does[row.operation], t.Messages)
				},
			})
		}
	}
	return benches
}

// measureAlone does n operations, after some that warm up.
func measureAlone(p prepare, n int) (peer.Outcome, error) {
	if _, err := batch(p, max(n/10, 1)); err != nil {
		return peer.Outcome{}, err
	}
	run, err := p(n)
	if err != nil {
		return peer.Outcome{}, err
	}
	runtime.GC()
	meter := peer.NewMeter(n)
	for i := range n {
		if err := meter.Call(func() error { return run(i) }); err != nil {
			return peer.Outcome{}, err
		}
	}
	return meter.Stop(n), nil
}
