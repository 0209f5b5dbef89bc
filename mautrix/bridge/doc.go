// Package pawlbridge is what application services of mautrix-go need of Pawl beside
// package pawlmautrix: whoever is none does not link it.
package pawlbridge
