design: no-check-of-reads
expect: key-reuse unreadable
seed: 31
cache: no-cache
talking: true
share = send
app+2 = send
run: app+2*2 share
