"""The adversarial signal of one target model, and a few attacked images to look at."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.device import pick_device
    from robustmia.settings import EvaluationAttackSettings
    from robustmia.signals import Target

    spec = snakemake.params.spec
    attack = EvaluationAttackSettings(**spec["evaluation_attack"])
    target = Target(
        spec["architecture"],
        snakemake.input.model,
        Records.load(snakemake.input.records),
        Split.load(snakemake.input.split),
        pick_device(snakemake.threads),
    )
    target.adversarial(attack, spec["seed"]).save(snakemake.output.signal)
    target.examples(attack, spec["seed"]).save(snakemake.output.examples)
