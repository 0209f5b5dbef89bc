package sharekv

// peerProcess returns 0: the credentials that package unix reads name none here.
func peerProcess(int) int { return 0 }
