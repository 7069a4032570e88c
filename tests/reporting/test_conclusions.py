"""What the comparison says in words and on the first page."""

from __future__ import annotations

from robustmia.inference.comparison import compare
from robustmia.reporting.conclusions import conclusions_table, conclusions_text
from synthetic import comparison, run_summary


def words_of(natural: float, pgd: float, ibp: float, seeds: int = 5) -> str:
    return " ".join(conclusions_text(comparison(natural, pgd, ibp, seeds)))


def test_of_one_seed_nothing_is_called_significant():
    table = comparison(0.55, 0.65, 0.55, seeds=1)
    words = " ".join(conclusions_text(table))
    assert "One seed is too few for a test" in words
    assert "the accuracy differs by +" in words
    assert "do not include the variation between trainings" in words
    assert "significant" not in words
    assert (conclusions_table(table)["seeds needed"] == "").all()
    assert (conclusions_table(table)["difference from natural"].str.contains("to")).sum() == 0


def test_without_a_natural_run_nothing_is_said_of_differences():
    alone = compare({"pgd": run_summary("pgd", {"s/a/split": 0.6})})
    assert "Compared with natural training" not in " ".join(conclusions_text(alone))
    assert conclusions_table(alone)["difference from natural"].tolist() == [""]


def test_words_say_what_is_significant_and_how_many_seeds_the_rest_would_need():
    words = words_of(0.55, 0.65, 0.56)
    assert "does best on pgd: a balanced accuracy of 6" in words
    assert "pgd (+" in words
    assert "leaks significantly more; no significant difference is shown for ibp (" in words
    assert "include the variation between trainings" in words
    assert "leak significantly less" in words_of(0.65, 0.55, 0.55)


def test_no_leak_is_shown_where_every_interval_contains_chance():
    for seeds, words in ((1, "No leak of these models is shown"), (5, "No leak is shown: no 95 %")):
        table = comparison(0.55, 0.55, 0.55, seeds).assign(accuracy_low=0.49)
        said = conclusions_text(table)[0]
        assert words in said
        assert f"up to {100 * table.accuracy_high.max():.1f} % are not ruled out" in said


def test_models_that_do_not_fit_their_members_are_named_second():
    table = comparison(0.55, 0.65, 0.56)
    assert "of their own members" not in " ".join(conclusions_text(table))
    table["train_accuracy"] = [0.9, 0.6, 0.95]
    said = conclusions_text(table)[1]
    assert said.startswith("Models that classify less than 90 % of their own members correctly: pgd 60 %.")


def test_the_numbers_of_seeds_are_those_of_the_table():
    table = comparison(0.55, 0.65, 0.56, seeds=5)
    table.loc[table.run == "ibp", ["significant", "seeds_needed"]] = [False, 12]
    words = " ".join(conclusions_text(table))
    assert "With 5 seeds this is no evidence" in words
    assert "in four cases out of five: 12 for ibp." in words
    table.loc[table.run == "pgd", ["significant", "seeds_needed"]] = [False, 700]
    assert "12 for ibp, and over 100 for the others." in " ".join(conclusions_text(table))
    table.loc[table.run == "ibp", "seeds_needed"] = None
    assert (
        "They are so small, compared with the spread over seeds, that even 100 seeds would hardly show them"
        in " ".join(conclusions_text(table))
    )
    table.loc[table.run == "pgd", "significant"] = True
    assert "It is so small" in " ".join(conclusions_text(table))


def test_a_difference_is_called_significant_only_where_the_table_says_so():
    table = comparison(0.55, 0.65, 0.55)
    table.loc[table.run == "pgd", "significant"] = False
    words = " ".join(conclusions_text(table))
    assert "significantly more" not in words
    assert "no significant difference is shown for pgd" in words


def test_words_say_which_runs_are_not_shown_to_leak():
    assert "confidence interval of every run lies above 50 %" in words_of(0.55, 0.65, 0.6)
    one = words_of(0.6, 0.65, 0.5)
    assert "does best on pgd" in one
    assert "No leak is shown for ibp, whose 95 % confidence interval does not lie above 50 %" in one
    assert "No leak is shown for" in (both := words_of(0.5, 0.65, 0.5))
    assert "natural and ibp," in both or "ibp and natural," in both


def test_runs_are_in_the_order_of_their_accuracy():
    assert conclusions_table(comparison(0.55, 0.65, 0.58)).run.tolist() == ["pgd", "ibp", "natural"]


def test_two_seeds_are_too_few_for_a_test():
    words = words_of(0.55, 0.65, 0.55, seeds=2)
    assert "Two seeds are too few for a test" in words
    assert "significantly" not in words


def test_of_two_natural_runs_the_first_is_the_baseline():
    leaks = {"natural": 0.55, "wide_natural": 0.65, "pgd": 0.6}
    runs = {
        run: run_summary("pgd" if run == "pgd" else "natural", {"s/a/split": leak}, 5, n)
        for n, (run, leak) in enumerate(leaks.items())
    }
    table = compare(runs)
    baseline = 100 * table.set_index("run").accuracy["natural"]
    assert f"Compared with natural training ({baseline:.1f} %)" in " ".join(conclusions_text(table))


def test_duplicates_are_said_before_how_it_was_found():
    """`make run` leaves out the last paragraph."""
    text = conclusions_text(comparison(0.55, 0.65, 0.55).assign(duplicates="3 of 10 are copies."))
    assert text[-2] == "3 of 10 are copies."
    assert text[-1].startswith("The strongest attack on each model is chosen")
