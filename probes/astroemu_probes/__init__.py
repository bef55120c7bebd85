"""The probes that ship with astroemu, one file each."""
