# A rule for each figure, since each has a caption of its own; redrawing one retrains nothing.
for figure, kind in type(settings.figures).model_fields.items():

    rule:
        name:
            f"figure_{figure}"
        input:
            **figure_inputs(kind.annotation),
        output:
            **figure_outputs(
                filled(paths.figure, figure=figure),
                figure,
                kind.annotation.content,
                category="{dataset}",
            ),
        log:
            paths.log(f"figures/{{dataset}}_{figure}"),
        localrule: True
        conda:
            "../envs/analysis.yaml"
        params:
            spec=by_wildcards(specs.figure, figure=figure),
            code=code_of("figure", specs.figure, figure=figure),
        script:
            "../scripts/figure.py"


FIGURES = [
    file
    for form in ("pdf", "png", "svg")
    for file in targets.expand(filled(paths.figure, form=form))
]


rule figures:
    input:
        STEPS,
        FIGURES,
