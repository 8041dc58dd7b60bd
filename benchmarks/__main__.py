"""Run all benchmarks. The code is in `benchmarks.set`: other processes cannot import `__main__`."""

from benchmarks.set import main

if __name__ == "__main__":
    main()
