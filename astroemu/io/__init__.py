"""Files on disk: paths, atomic writes, JSON and TOML, and limits for files that are not trusted."""
