"""Files on disk: paths, atomic writes, JSON, TOML, and limits on files from untrusted sources."""
