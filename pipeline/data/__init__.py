"""From an archive to shards: ingest, manifest, shards and the order in which they are sampled."""
