"""From an archive to shards: ingest, checks, manifest, shards and the training images."""
