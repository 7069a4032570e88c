"""One signal of one target model."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.settings import instantiate
    from robustmia.signals.target_model import TargetModel

    spec = snakemake.params.spec
    target = TargetModel.open(spec, **snakemake.input, threads=snakemake.threads)
    target.logits(instantiate(spec["signal"])).save(snakemake.output.logits)
