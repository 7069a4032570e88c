"""How far members and non-members are from the decision boundary of one target model."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.arrays import save_arrays
    from robustmia.signals.target_model import TargetModel
    from robustmia.studies.boundary import boundary_distance

    spec = snakemake.params.spec
    target = TargetModel.open(spec, **snakemake.input, threads=snakemake.threads)
    found = target.of_records(
        lambda model, images, labels: boundary_distance(model, images, labels, **spec["search"]), "distances"
    )
    save_arrays(snakemake.output[0], {"members": found[0], "nonmembers": found[1]})
