"""The emulators, samplers and simulators that ship with astroemu, one file each."""
