design: stale
expect: false-failure agreement check
seed: 53
cache: validated
talking: false
app = sync-all
nse = send
run: nse*2 app
