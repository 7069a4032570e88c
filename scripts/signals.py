"""Some signals of one target model."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.signals import save_signals
    from robustmia.settings import instantiate
    from robustmia.signals.target_model import TargetModel

    spec = snakemake.params.spec
    target = TargetModel.open(spec, **snakemake.input, threads=snakemake.threads)
    signals = {name: instantiate(settings) for name, settings in spec["signals"].items()}
    logits = {name: target.logits(signal) for name, signal in signals.items()}
    examples = target.examples(signals["adversarial"]) if "adversarial" in signals else None
    save_signals(snakemake.output.signals, logits, examples)
