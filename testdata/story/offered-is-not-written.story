design: offered-is-not-written
expect: uploads check
seed: 11
cache: no-cache
talking: false
nse = upload 2; upload 1
run: 
