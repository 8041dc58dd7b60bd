"""Where a cell of the table comes from: `snakemake --cores 1 provenance --config cell=...`."""

from pipeline.options.sources import SourceFiles

READ = [CONFIG.source(dataset) for dataset in {TRAINED: None, TESTED: None}]
SOURCES = SourceFiles(
    archives={data.dataset: data.archive or "results/synthetic/archive.zip" for data in READ},
    lists={data.dataset: data.lists for data in READ if data.lists},
    occluders=occluder_images(None),
    sam_checkpoint=CONFIG.occluders.sam.checkpoint,
)


# no input: it looks at the files as they are, and what was tampered with must not be made again
rule provenance:
    log:
        f"results/logs/{EXPERIMENT}/provenance_{CONFIG.table}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        table=f"results/{EXPERIMENT}/tables/{CONFIG.table}.csv",
        cell=CELL,
        sources=SOURCES.model_dump_json(),
    shell:
        "python -m pipeline.lineage.trace --table {params.table} --cell {params.cell:q}"
        " --sources {params.sources:q} 2>&1 | tee {log}"
