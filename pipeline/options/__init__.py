"""The sections of the configuration, typed and validated.

A stage gets only the sections that it needs, and reruns only if they change.
"""
