"""A fit: its configuration (:mod:`~astroemu.inference.configuration`), its run
(:mod:`~astroemu.inference.fitting`), and the folder that it leaves (:mod:`~astroemu.inference.run_folder`).
"""
