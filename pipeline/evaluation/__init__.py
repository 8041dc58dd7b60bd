"""From trained weights to metrics: embed the query and the gallery, then score their ranking."""
