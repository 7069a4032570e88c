"""Every strategy on every signal of one target model, with shadow models."""

from robustmia.jobs import job

with job(snakemake):
    import numpy as np

    from robustmia.data.split import Split
    from robustmia.inference.attempts import Evaluated, Judged, judge
    from robustmia.inference.evaluate import membership_table
    from robustmia.inference.strong import strong_attempts
    from robustmia.logits import ShadowLogits, SignalLogits
    from robustmia.table_files import write_table

    spec, split = snakemake.params.spec, Split.load(snakemake.input.split)
    rows = np.concatenate([split.members, split.nonmembers])
    batches = np.array(snakemake.input.shadows).reshape(len(spec["signals"]), spec["batches"])
    signals, shadows = {}, {}
    for name, path, files in zip(spec["signals"], snakemake.input.signals, batches, strict=True):
        signals[name] = SignalLogits.load(path)
        loaded = [ShadowLogits.load(file) for file in files]
        shadows[name] = np.concatenate([part.logits[:, rows] for part in loaded])
        inside = np.concatenate([part.inside[:, rows] for part in loaded])
    records = Evaluated.of(signals["benign"], inside)
    judgements = judge(strong_attempts(signals, shadows, inside, spec["classifier"]), records)
    write_table(membership_table(spec["identity"], judgements, records), snakemake.output.membership_inference)
    Judged.of(rows, judgements, records).save(snakemake.output.judged)
