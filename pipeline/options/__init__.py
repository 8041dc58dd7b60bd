"""The sections of the configuration: what each stage can be told, typed and checked.

Each stage gets the one section that it needs: it reruns when that changes, and not otherwise.
"""
