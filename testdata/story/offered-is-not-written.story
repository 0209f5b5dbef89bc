design: offered-is-not-written
expect: uploads check
seed: 28
cache: validated
talking: false
nse = upload 1; upload 1
run: 
