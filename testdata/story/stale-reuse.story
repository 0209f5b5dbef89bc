design: stale-reuse
expect: key-reuse unreadable false-failure agreement
seed: 22
cache: no-cache
talking: true
app = send
share = send
run: share*2 app
