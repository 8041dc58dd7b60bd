"""Run the set of benchmarks; see `benchmarks.set`, whose functions other processes can import."""

from benchmarks.set import main

if __name__ == "__main__":
    main()
